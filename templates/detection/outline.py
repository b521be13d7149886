def shrink(
    image: Tensor, objects: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Reduce an image, uint8 [3, H, W], and its objects to DRAWN pixels at most."""
    height, width = image.shape[1:]
    scale = min(1.0, DRAWN / max(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    objects = objects | {"boxes": objects["boxes"] * scale}
    #% if data.masks
    objects["masks"] = F.resize(
        objects["masks"].byte(), size, F.InterpolationMode.NEAREST_EXACT
    )
    #% endif
    return F.resize(image, size), objects


def outline(
    image: Tensor, objects: dict[str, Tensor], texts: list[str] | None = None
) -> Tensor:
    """Draw objects on a copy of an image, uint8 [3, H, W], a colour for each class.

    Args:
        #% if data.masks
        objects: "boxes", float [N, 4] in pixels; "labels", int64 [N]; "masks", bool or
            uint8 [N, H, W].
        #% else
        objects: "boxes", float [N, 4] in pixels; "labels", int64 [N].
        #% endif
        texts: what is written in the boxes; by default the names of the classes.
    """
    labels = objects["labels"].tolist()
    if not labels:
        return image.clone()
    colors = [COLORS[label % len(COLORS)] for label in labels]
    #% if data.masks
    masks = objects["masks"].bool()
    # Shared pixels go to the first object; torchvision would paint them black.
    masks &= masks.cumsum(0, dtype=torch.int16) == 1
    image = draw_segmentation_masks(image, masks, alpha=0.4, colors=colors)
    #% endif
    side = max(image.shape)
    return draw_bounding_boxes(
        image,
        objects["boxes"],
        [CLASSES[label] for label in labels] if texts is None else texts,
        colors,
        width=max(1, side // 300),
        font=findfont("DejaVu Sans"),
        font_size=max(10, side // 50),
    )
