"""The models of models/*.c written in PyTorch, with the same parameter names: what the golden tests and
the benchmark compare with."""
from torch import nn


class Flatten(nn.Module):
    """B C H W -> B H*W*C: the order of a tensor with its channels last."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


class VGG(nn.Module):
    """Four stages of two 3x3 convolutions with batch norm, pools between, global average, linear."""

    def __init__(self, width=32, dropout=0.25, channels=1, classes=7):
        super().__init__()
        layers, c = [], channels
        for stage in range(4):
            layers += [nn.MaxPool2d(2)] if stage else []
            for _ in range(2):
                m = width << stage
                layers += [nn.Conv2d(c, m, 3, padding=1, bias=False), nn.BatchNorm2d(m), nn.ReLU()]
                c = m
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(c, classes)

    def forward(self, x):
        return self.classifier(self.dropout(self.features(x).mean((2, 3))))


class AlexNet(nn.Module):
    """torchvision's widths with a 5x5 stem, for images of 48x48."""

    def __init__(self, stride=2, fc=1024, divisor=1, dropout=0.5, channels=1, classes=7):
        super().__init__()
        a, b, c, d, fc = (n // divisor for n in (64, 192, 384, 256, fc))
        side = {1: 5, 2: 2}[stride]
        self.features = nn.Sequential(
            nn.Conv2d(channels, a, 5, stride, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(a, b, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(b, c, 3, padding=1), nn.ReLU(),
            nn.Conv2d(c, d, 3, padding=1), nn.ReLU(),
            nn.Conv2d(d, d, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(side * side * d, fc), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(fc, fc), nn.ReLU(), nn.Linear(fc, classes))
        self.flatten = Flatten()

    def forward(self, x):
        return self.classifier(self.flatten(self.features(x)))
