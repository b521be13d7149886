content = WEIGHTS.read_bytes()
