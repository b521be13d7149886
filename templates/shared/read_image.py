def read_image(path: str | Path) -> Tensor:
    #% if data.grey
    """Read an image file as uint8 grey [1, H, W], upright as its EXIF data says.

    Colours become their brightness.
    #% if data.value_range
    Of 16 bits VALUE_RANGE becomes 0 to 255, of an animation the first image is taken;
    transparency is ignored.
    #% else
    Of 16 bits the upper 8 are kept, of an animation the first image; transparency is
    ignored.
    #% endif
    """
    #% else
    """Read an image file as uint8 RGB [3, H, W], upright as its EXIF data says.

    #% if data.value_range
    Of 16 bits VALUE_RANGE becomes 0 to 255, of an animation the first image is taken;
    transparency is ignored.
    #% else
    Of 16 bits the upper 8 are kept, of an animation the first image; transparency is
    ignored.
    #% endif
    """
    #% endif
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode in ("I", "F"):
                raise ValueError("32 bits a channel; save it with 8 or 16")
            if image.mode.startswith("I;16"):
                deep = F.pil_to_tensor(image.convert("I"))
                #% if data.value_range
                low, high = VALUE_RANGE
                deep = ((deep - low) * 256 // (high - low + 1)).clamp(0, 255)
                #% if data.grey
                return deep.to(torch.uint8)
                #% else
                return deep.to(torch.uint8).expand(3, -1, -1)
                #% endif
                #% elif data.grey
                return (deep >> 8).to(torch.uint8)
                #% else
                return (deep >> 8).to(torch.uint8).expand(3, -1, -1)
                #% endif
            #% if data.grey
            return F.pil_to_tensor(image.convert("L"))
            #% else
            return F.pil_to_tensor(image.convert("RGB"))
            #% endif
    except Exception as error:  # each decoder has its own
        message = f"{path}: not a readable image; mend or remove it ({error})"
        raise RuntimeError(message) from error
