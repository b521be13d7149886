answers = ["--json", f"{folder}/found.json", "--draw", f"{folder}/drawn"]
export.DATA_DIR = Path(folder)
