with urlopen(WEIGHTS) as response:
    content = response.read()
if not sha256(content).hexdigest().startswith(HASH):
    raise RuntimeError(f"{WEIGHTS} has another hash than its name says")
