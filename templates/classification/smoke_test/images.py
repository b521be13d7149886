file = f"{folder}/0.png"
noise = FakeData(8, (3, data.IMAGE_SIZE, data.IMAGE_SIZE))
for index in range(8):
    noise[index][0].save(f"{folder}/{index}.png")
