answers = ["--json", f"{folder}/found.json", "--draw", f"{folder}/drawn"]
