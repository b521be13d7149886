class Batches(Sampler[list[tuple[int, int]]]):
    """This process's share of each batch of an epoch, as pairs of an index and a seed.

    Order and seeds follow from (seed, epoch) alone, not from the number of processes.
    #% if batches.balance
    Every class is drawn equally often, and of its samples any.
    #% endif
    #% if batches.grouped
    Wide and tall images come in different batches: together they would be mostly
    border.
    #% endif
    The last samples of an epoch, too few for a whole batch, are left out.

    Raises:
        ValueError: if a batch cannot be divided among the processes, or the samples
            are too few for one.
    """

    def __init__(self, samples: Samples, batch_size: int, seed: int) -> None:
        self.rank, self.processes = dist.get_rank(), dist.get_world_size()
        #% if batches.mix
        divisor = 2 * self.processes  # `mix` blends the images of a process in pairs
        if batch_size % divisor:
            fitting = batch_size + -batch_size % divisor
            raise ValueError(
                f"a batch of {batch_size} cannot be divided among {self.processes} "
                f"processes in pairs; write a multiple of {divisor}, e.g. {fitting}"
            )
        #% else
        if batch_size % self.processes:
            fitting = batch_size + -batch_size % self.processes
            raise ValueError(
                f"a batch of {batch_size} cannot be divided among {self.processes} "
                f"processes; write a multiple of that, e.g. {fitting}"
            )
        #% endif
        #% if batches.repeat
        self.samples = REPEAT * len(samples)  # of an epoch
        #% else
        self.samples = len(samples)
        #% endif
        if self.samples < batch_size:
            raise ValueError(f"{self.samples} samples make no batch of {batch_size}")
        #% if batches.grouped
        self.wide = [record.width > record.height for record in samples.records]
        #% endif
        #% if batches.balance
        members = defaultdict(list)
        for index, label in enumerate(samples.labels):
            members[label].append(index)
        self.members = list(members.values())
        #% endif
        self.batch_size, self.seed = batch_size, seed
        self.epoch = self.first = 0

    def start(self, epoch: int, first: int) -> None:
        """Make the next iteration that of `epoch`, from its batch `first` on."""
        self.epoch, self.first = epoch, first

    def __len__(self) -> int:
        return self.samples // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        #% if batches.balance
        places = torch.randperm(self.samples, generator=generator).tolist()
        chances = torch.rand(self.samples, generator=generator).tolist()
        order = []
        for place, chance in zip(places, chances, strict=True):
            members = self.members[place % len(self.members)]
            order.append(members[int(chance * len(members))])
        #% else
        #% if batches.repeat
        images = self.samples // REPEAT
        passes = [torch.randperm(images, generator=generator) for _ in range(REPEAT)]
        order = torch.cat(passes).tolist()
        #% else
        order = torch.randperm(self.samples, generator=generator).tolist()
        #% endif
        #% endif
        #% if batches.grouped
        order = self.group(order, generator)
        #% endif
        seeds = torch.randint(2**31, (self.samples,), generator=generator).tolist()
        share = self.batch_size // self.processes
        for batch in range(self.first, len(self)):
            begin = batch * self.batch_size + self.rank * share
            #% if batches.redraws
            keys = slice(begin, begin + share)
            yield list(zip(order[keys], seeds[keys], strict=True))
            #% else
            yield [(index, seeds[index]) for index in order[begin : begin + share]]
            #% endif
    #% if batches.grouped

    def group(self, order: list[int], generator: torch.Generator) -> list[int]:
        """Put wide and tall images into different batches, and those in any order.

        What fills none comes at the end, where one batch may be of both.
        """
        groups = [[index for index in order if self.wide[index] == w] for w in (True, False)]
        batches, rest = [], []
        for indices in groups:
            whole = len(indices) - len(indices) % self.batch_size
            batches += [
                indices[begin : begin + self.batch_size]
                for begin in range(0, whole, self.batch_size)
            ]
            rest += indices[whole:]
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return [index for batch in shuffled for index in batches[batch]] + rest
    #% endif
