#% if data.bands
file = f"{folder}/0.npy"
shape = ({{ data.sides }}, data.CHANNELS)
for index in range(8):
    noise = numpy.random.default_rng(index).integers(256, size=shape, dtype=numpy.uint8)
    numpy.save(f"{folder}/{index}.npy", noise)
#% else
file = f"{folder}/0.png"
noise = FakeData(8, (3, {{ data.sides }}))
for index in range(8):
    noise[index][0].save(f"{folder}/{index}.png")
#% endif
