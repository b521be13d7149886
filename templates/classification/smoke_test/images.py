file = f"{folder}/0.png"
noise = FakeData(8, (3, {{ data.sides }}))
for index in range(8):
    noise[index][0].save(f"{folder}/{index}.png")
