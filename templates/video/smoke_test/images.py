file = f"{folder}/0.mp4"
#% if data.rawframes
write_video(file)
noise = FakeData(64, (3, {{ data.sides }}))
for index in range(8):
    os.mkdir(f"{folder}/{index}")
    for number in range(8):
        name = data.FRAME_NAME.format(data.FIRST_FRAME + number)
        noise[8 * index + number][0].save(f"{folder}/{index}/{name}")
#% else
for index in range(8):
    write_video(f"{folder}/{index}.mp4")
#% endif
