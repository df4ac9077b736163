"Three steps of Metaflow, whose first is called start and whose last end, always."

from metaflow import FlowSpec, step


class Chain(FlowSpec):
    @step
    def start(self):
        self.value = 1
        self.next(self.middle)

    @step
    def middle(self):
        self.value += 1
        self.next(self.end)

    @step
    def end(self):
        self.value += 1
        assert self.value == 3


if __name__ == "__main__":
    Chain()
