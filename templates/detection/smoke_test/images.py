file = f"{folder}/0.png"
for index in range(8):
    noise = torch.randint(256, (3, 96, 128), dtype=torch.uint8)
    write_png(noise, f"{folder}/{index}.png")
#% if annotations.numbered
masks = torch.zeros(1, 96, 128, dtype=torch.uint8)
masks[:, 10:60, 10:60], masks[:, 20:80, 70:110] = 1, 2
write_png(masks, f"{folder}/masks.png")
#% endif
