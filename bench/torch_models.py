"""The models of models/*.c written in PyTorch, with the same parameter names: what the golden tests and
the benchmark compare with."""
import torch
from torch import nn
from torch.nn import functional as F


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
                layers += [nn.Conv2d(c, m, 3, padding=1, bias=False), nn.BatchNorm2d(m), nn.ReLU(inplace=True)]
                c = m
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(c, classes)

    def forward(self, x):
        return self.classifier(self.dropout(self.features(x).mean((2, 3))))


class AlexNet(nn.Module):
    """torchvision's widths with a 5x5 stem, for images of 48x48 ("face"); torchvision's own ("torch"); Caffe's."""

    FORMS = {  # window, padding, width, groups, norm, pool of each convolution; side of the last average
        "face": (((5, 2, 64, 1, 0, 1), (5, 2, 192, 1, 0, 1), (3, 1, 384, 1, 0, 0), (3, 1, 256, 1, 0, 0),
                  (3, 1, 256, 1, 0, 1)), 0),
        "torch": (((11, 2, 64, 1, 0, 1), (5, 2, 192, 1, 0, 1), (3, 1, 384, 1, 0, 0), (3, 1, 256, 1, 0, 0),
                   (3, 1, 256, 1, 0, 1)), 6),
        "caffe": (((11, 0, 96, 1, 1, 1), (5, 2, 256, 2, 1, 1), (3, 1, 384, 1, 0, 0), (3, 1, 384, 2, 0, 0),
                   (3, 1, 256, 2, 0, 1)), 0),
    }

    def __init__(self, stride=2, fc=1024, divisor=1, dropout=0.5, channels=1, classes=7, form="face", size=48):
        super().__init__()
        convs, average = self.FORMS[form]
        layers, c = [], channels
        for i, (window, pad, m, groups, norm, pool) in enumerate(convs):
            m = m // divisor // 2 * 2
            layers += [nn.Conv2d(c, m, window, 1 if i else stride, padding=pad, groups=groups), nn.ReLU(inplace=True)]
            if pool:
                pool = nn.MaxPool2d(3, 2, ceil_mode=form == "caffe")
                layers.append(nn.Sequential(nn.LocalResponseNorm(5, 1e-4, 0.75, 1), pool) if norm else pool)
            c = m
        self.features = nn.Sequential(*layers)
        self.average = nn.AdaptiveAvgPool2d(average) if average else nn.Identity()
        self.flatten = Flatten()
        with torch.no_grad():
            n = self.average(self.features(torch.zeros(1, channels, size, size))).numel()
        fc = fc // divisor // 2 * 2
        first, last = (nn.Identity(), nn.Dropout(dropout)) if form == "caffe" else (
            nn.Dropout(dropout), nn.Identity())
        self.classifier = nn.Sequential(
            first, nn.Linear(n, fc), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(fc, fc),
            nn.Sequential(nn.ReLU(inplace=True), last), nn.Linear(fc, classes))

    def forward(self, x):
        return self.classifier(self.flatten(self.average(self.features(x))))


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """timm's vision transformer: a class token, learned positions, norms before."""

    def __init__(self, size, patch, dim, heads, depth=12, channels=1, classes=7):
        super().__init__()
        self.patch_embed = nn.Conv2d(channels, dim, patch, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2 + 1, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


class Bottleneck(nn.Module):
    """Pre-activation: the shortcut is projected from the activated input, or is every other pixel of x."""

    def __init__(self, c, f, project, stride, bias, norm):
        super().__init__()
        self.stride = stride
        self.norm1, self.norm2, self.norm3 = norm(c), norm(f), norm(f)
        self.shortcut = nn.Conv2d(c, 4 * f, 1, stride, bias=bias) if project else None
        self.conv1 = nn.Conv2d(c, f, 1, bias=False)
        self.conv2 = nn.Conv2d(f, f, 3, stride, padding=1, bias=False)
        self.conv3 = nn.Conv2d(f, 4 * f, 1, bias=bias)

    def forward(self, x):
        a = self.norm1(x).relu_()
        shortcut = self.shortcut(a) if self.shortcut else x[:, :, ::self.stride, ::self.stride]
        y = self.conv1(a)
        y = self.conv2(self.norm2(y).relu_())
        return shortcut + self.conv3(self.norm3(y).relu_())


class ResNet50V2(nn.Module):
    """As in keras/src/applications/resnet_v2.py (gluon=False), or as in MXNet Gluon's model zoo."""

    def __init__(self, divisor=1, gluon=False, channels=1, classes=7):
        super().__init__()
        self.gluon = gluon

        def norm(c):
            return nn.BatchNorm2d(c, eps=1e-5 if gluon else 1.001e-5, momentum=0.1 if gluon else 0.01)
        c = 64 // divisor
        if gluon:
            self.input_norm = norm(channels)
            self.input_norm.requires_grad_(False)  # scale=False, center=False there
            self.stem_norm = norm(c)
        self.stem = nn.Conv2d(channels, c, 7, 2, padding=3, bias=not gluon)
        for stage, (f, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
            f //= divisor
            strided = (0 if gluon else blocks - 1) if stage != (0 if gluon else 3) else None
            stack = []
            for i in range(blocks):
                stack.append(Bottleneck(c, f, i == 0, 2 if i == strided else 1, not gluon, norm))
                c = 4 * f
            setattr(self, f"stage{stage + 1}", nn.Sequential(*stack))
        self.norm = norm(c)
        self.head = nn.Linear(c, classes)

    def forward(self, x):
        if self.gluon:
            x = self.stem_norm(self.stem(self.input_norm(x))).relu_()
            x = F.max_pool2d(x, 3, 2, padding=1)
        else:  # padded with zeros
            x = F.max_pool2d(F.pad(self.stem(x), (1, 1, 1, 1)), 3, 2)
        for stage in (self.stage1, self.stage2, self.stage3, self.stage4):
            x = stage(x)
        return self.head(self.norm(x).relu_().mean((2, 3)))
