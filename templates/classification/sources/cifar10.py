def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """CIFAR-10's 50,000 training and 10,000 test images, downloaded if need be."""
    if int(os.environ["LOCAL_RANK"]) == 0:
        CIFAR10(root, download=True)  # or checks the MD5 sums of what is there
    dist.barrier()
    train = CIFAR10(root, train=True, transform=F.pil_to_tensor)
    test = CIFAR10(root, train=False, transform=F.pil_to_tensor)
    return (
        Samples(train, [f"training image {i}" for i in range(len(train))], train_transform),
        Samples(test, [f"test image {i}" for i in range(len(test))], eval_transform),
    )
