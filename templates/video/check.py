def check(rows: list[Row]) -> None:
    #% if data.rawframes
    """Look at all folders before training begins; each process takes its share.

    Raises:
        ValueError: names the lines whose frames are not as many as they say.
    """
    problems = []
    share = rows[dist.get_rank() :: dist.get_world_size()]
    for place, video, _ in tqdm(share, "check", leave=False, disable=dist.get_rank() > 0):
        present = set(os.listdir(video.folder)) if video.folder.is_dir() else set()
        numbers = range(video.first, video.first + video.count)
        names = [FRAME_NAME.format(number) for number in numbers]
        if missing := [name for name in names if name not in present]:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            problems.append(f"{place}: no {video.folder / missing[0]}{more}")
        #% if not data.with_offset
        elif FRAME_NAME.format(numbers.stop) in present:
            problems.append(f"{place}: {video.folder} has more frames than {video.count}")
        #% endif
    #% else
    """Look for all files before training begins; each process takes its share.

    Raises:
        ValueError: names the lines whose files are missing or empty.
    """
    problems = []
    share = rows[dist.get_rank() :: dist.get_world_size()]
    for place, file, _ in tqdm(share, "check", leave=False, disable=dist.get_rank() > 0):
        if not file.is_file() or not file.stat().st_size:
            problems.append(f"{place}: no video {file}, or an empty one")
    #% endif
    if problems:
        listed = "\n".join(problems[:10] + ["…"] * (len(problems) > 10))
        raise ValueError(f"{len(problems)} lines do not match the videos:\n{listed}")
