answers = ["--csv", f"{folder}/answers.csv", "--draw", f"{folder}/drawn.png"]
