def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """CIFAR-10's 50,000 training and 10,000 test images, downloaded if need be."""
    if int(os.environ["LOCAL_RANK"]) == 0:
        CIFAR10(root, download=True)  # or checks the MD5 sums of what is there
    dist.barrier()
    train = CIFAR10(root, train=True, transform=F.pil_to_tensor)
    test = CIFAR10(root, train=False, transform=F.pil_to_tensor)
    names = [f"CIFAR-10's training image {index}" for index in range(len(train))]
    test_names = [f"CIFAR-10's test image {index}" for index in range(len(test))]
    return (
        Samples(train, names, train_transform),
        Samples(test, test_names, eval_transform),
    )
