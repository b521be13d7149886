def main() -> None:
    parser = argparse.ArgumentParser(description="Name the class of {{ sample }}s.")
    parser.add_argument("paths", nargs="+", help="files, folders, or globs in quotes")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--csv", type=Path, default=os.devnull, help="file to write the table to")
    parser.add_argument("--draw", type=Path, help="picture to draw the answers on")
    args = parser.parse_args()
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # Ctrl-C: no traceback

    files = find(args.paths)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = checkpoint.load(args.checkpoint)
    classes = state["classes"]
    model = build_model().to(device).eval()
    checkpoint.load_model(model, state["model"], args.checkpoint)
    width = max(len(shown(path)) for path in files)
    class_width = max(len(shown(name)) for name in classes)
    unread, drawn, titles = [], [], []
    args.csv.parent.mkdir(parents=True, exist_ok=True)
    with open(
        args.csv, "w", encoding="utf-8", errors="surrogateescape", newline=""
    ) as file:
        table = csv.writer(file)
        #% if data.multi_label
        table.writerow(["path", *classes])
        #% else
        columns = [(f"class_{k + 1}", f"probability_{k + 1}") for k in range(TOPK)]
        table.writerow(["path", *chain(*columns)])
        #% endif
        answers = predict(model, files, device)
        for path, (sample, error, probabilities) in zip(files, answers, strict=True):
            if error:
                unread.append(shown(error))
                continue
            #% if data.multi_label
            answer = probabilities.tolist()
            named = [(n, p) for n, p in zip(classes, answer, strict=True) if p > THRESHOLD]
            table.writerow([path, *answer])
            #% else
            top = (t.tolist() for t in probabilities.topk(TOPK))
            named = [(classes[label], p) for p, label in zip(*top, strict=True)]
            table.writerow([path, *chain(*named)])
            #% endif
            cells = [f"{shown(name):{class_width}} {p:6.1%}" for name, p in named]
            #% if data.multi_label
            cells = cells or [f"nothing above {THRESHOLD:.0%}"]
            #% endif
            print(f"{shown(path):{width}}", *cells, sep="   ")
            if len(drawn) < DRAWN:
                drawn.append(sample)
                #% if data.clips
                titles.append("   ".join([os.path.basename(path), *cells]))
                #% else
                titles.append("\n".join(cells))
                #% endif
    if args.draw and drawn:
        args.draw.parent.mkdir(parents=True, exist_ok=True)
        draw(drawn, titles).savefig(args.draw)
    if unread:
        header = f"{len(unread)} of {len(files)} files were not read:"
        raise SystemExit("\n".join([header, *unread]))
