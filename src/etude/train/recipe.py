"""The settings of one training run, typed: flags, checks and help all follow from this one description."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from etude.core.settings import EtudeErrorValue, Settings, setting
from etude.core.text import Text

Optimizer = Literal[
    "sgd", "asgd", "adadelta", "adagrad", "adam", "adamw", "adamax", "sparseadam", "rmsprop", "rprop", "lbfgs", "muon"
]  # fmt: skip


class Recipe(Settings):
    """How to train: everything about a run that is neither the data nor the model.

    A recipe is complete in itself. `etude.train.recommended.recommend` makes one that suits a model and a
    data set; what a person sets takes precedence.

    Raises:
        pydantic.ValidationError: a value is out of bounds (`etude.core.settings.make` gives one sentence).
    """

    epochs: int = setting(
        10, ge=1, unit="epochs", about=Text(en="passes over the training part", zh="遍历训练集的次数")
    )
    steps: int | None = setting(
        None,
        ge=1,
        unit="steps",
        about=Text(
            en="stop after this many steps, whatever epochs says", zh="训练到这么多步为止（优先于 epochs）"
        ),
    )
    batch_size: int = setting(
        64, ge=1, unit="examples", about=Text(en="examples in one step", zh="每一步的样本数")
    )
    optimizer: Optimizer = setting("adamw", about=Text(en="rule for the update", zh="更新规则（优化器）"))
    learning_rate: float = setting(
        1e-3,
        gt=0,
        about=Text(
            en="size of the step (its peak, under a schedule); auto: found by a range test",
            zh="学习率（有调度时为峰值）；auto：用学习率测试寻找",
        ),
    )
    momentum: float = setting(
        0.9, ge=0, lt=1, about=Text(en="momentum of SGD, RMSprop and Muon", zh="SGD、RMSprop 与 Muon 的动量")
    )
    schedule: Literal["constant", "cosine", "one-cycle", "step"] = setting(
        "one-cycle",
        about=Text(en="how the learning rate changes over the run", zh="学习率在训练过程中的变化方式"),
    )
    step_size: float | None = setting(
        None,
        gt=0,
        unit="epochs",
        about=Text(
            en="under the step schedule: epochs between two drops of the learning rate (else a third of the run)",
            zh="step 调度：学习率每隔多少轮下降一次（默认为全程的三分之一）",
        ),
    )
    gamma: float = setting(
        0.1,
        gt=0,
        lt=1,
        about=Text(
            en="under the step schedule: what the learning rate is multiplied by at a drop",
            zh="step 调度：每次下降时学习率乘以的系数",
        ),
    )
    warmup_epochs: float = setting(
        0.0,
        ge=0,
        unit="epochs",
        about=Text(
            en="the learning rate rises linearly for this long (one-cycle has its own rise)",
            zh="学习率线性上升的时长（one-cycle 自带上升段）",
        ),
    )
    weight_decay: float = setting(
        0.01,
        ge=0,
        about=Text(
            en="pull of the weights towards zero; biases and norms are spared",
            zh="权重衰减；偏置与归一化参数除外",
        ),
    )
    label_smoothing: float = setting(
        0.0,
        ge=0,
        lt=1,
        about=Text(en="share of the target spread over all classes", zh="标签平滑：均分给所有类别的比例"),
    )
    clip_norm: float | None = setting(
        None,
        gt=0,
        about=Text(
            en="longest gradient allowed (2-norm over all parameters)", zh="梯度裁剪：全部参数梯度的最大 2-范数"
        ),
    )
    ema: float | None = setting(
        None,
        gt=0,
        lt=1,
        about=Text(
            en="decay of the moving average of the weights that is evaluated and kept",
            zh="权重滑动平均的衰减率；评估并保存平均后的权重",
        ),
    )
    dropout: float | None = setting(
        None,
        ge=0,
        lt=1,
        about=Text(en="share of units dropped (else the model's own)", zh="随机失活比例（默认用模型自己的）"),
    )
    augment: bool = setting(
        False,
        about=Text(
            en="vary training pictures: mirror, pad and crop, as the data set allows",
            zh="数据扩充：在数据集允许时翻转、填充后裁剪",
        ),
    )
    random_resized_crop: bool = setting(
        False,
        about=Text(
            en="train on random parts of each picture, in random sizes and proportions",
            zh="随机缩放裁剪：训练时从每张图片取随机大小与比例的一块",
        ),
    )
    color_jitter: float = setting(
        0.0,
        ge=0,
        le=1,
        about=Text(
            en="largest change of brightness, contrast, saturation (0.4 is usual) of training pictures",
            zh="颜色抖动：训练图片亮度、对比度、饱和度的最大变化（常用 0.4）",
        ),
    )
    cutout: int = setting(
        0,
        ge=0,
        unit="pixels",
        about=Text(
            en="side of the square blotted out of each training picture", zh="从每张训练图片中抹去的正方形边长"
        ),
    )
    mixup: float = setting(
        0.0,
        ge=0,
        about=Text(
            en="mix each training picture with another: parameter of the Beta distribution (0.2 is usual)",
            zh="把两张训练图片混合：Beta 分布的参数（常用 0.2）",
        ),
    )
    freeze: bool = setting(
        False,
        about=Text(
            en="train the last layer only, leave the others as they are", zh="只训练最后一层，其余层冻结"
        ),
    )
    backbone_rate: float = setting(
        1.0,
        gt=0,
        le=1,
        about=Text(
            en="learning rate of the layers below the last one, as a share of that of the last one",
            zh="最后一层以下各层的学习率占最后一层学习率的比例",
        ),
    )
    early_stopping: int | None = setting(
        None,
        ge=1,
        unit="evaluations",
        about=Text(
            en="stop after this many evaluations without a better one", zh="连续这么多次评估没有进步就停止"
        ),
    )
    to_accuracy: float | None = setting(
        None,
        gt=0,
        lt=1,
        about=Text(
            en="stop at this accuracy (0.99, say): as soon as the validation part shows it with 90 % confidence, or cannot rule "
            "it out at the end of a cycle of the learning rate; settings left out are chosen to get there soon",
            zh="达到该准确率（例如 0.99）就停止：验证集以 90% 的置信度表明已达到，或在学习率的一个周期结束时不能排除已达到；"
            "未设置的选项按尽快达到来选择",
        ),
    )
    keep: Literal["best", "last"] = setting(
        "best",
        about=Text(
            en="weights kept at the end: best on the validation part, or last",
            zh="最终保留的权重：验证集上最好的，或最后的",
        ),
    )
    evaluate_every: int | None = setting(
        None,
        ge=1,
        unit="steps",
        about=Text(
            en="evaluate every so many steps too, not only after an epoch",
            zh="除每轮结束外，每隔这么多步也评估一次",
        ),
    )
    checkpoint_every: int | None = setting(
        None,
        ge=1,
        unit="steps",
        about=Text(
            en="save the state every so many steps (else after every epoch and every minute)",
            zh="每隔这么多步保存一次状态（默认每轮结束以及每分钟）",
        ),
    )
    seed: int = setting(
        0, ge=0, lt=2**63, about=Text(en="all chance in the run follows from it", zh="随机种子，决定全部随机性")
    )
    device: str = setting(
        "auto", about=Text(en="auto, cpu, cuda, cuda:1, mps", zh="设备：auto、cpu、cuda、cuda:1、mps")
    )
    precision: Literal["auto", "float32", "bf16"] = setting(
        "auto", about=Text(en="number format of the heavy products", zh="大规模乘法所用的数值格式")
    )
    memory_format: Literal["auto", "contiguous", "channels_last"] = setting(
        "auto",
        about=Text(
            en="how pictures and kernels lie in memory: channel by channel, or channels innermost",
            zh="图片与卷积核的内存排列：逐通道存放，或通道在最内层",
        ),
    )
    rewrite: Literal["auto", "off"] = setting(
        "auto",
        about=Text(
            en="auto computes the network by operations that are faster and give the same; off as it is written",
            zh="auto 用结果相同但更快的运算计算网络；off 按原样计算",
        ),
    )
    compile: Literal["auto", "on", "off"] = setting(
        "auto",
        about=Text(
            en="compile the network (torch.compile): costs half a minute first and needs a C++ compiler; "
            "auto leaves it out on a CPU",
            zh="编译网络（torch.compile）：开始时需要约半分钟，并需要 C++ 编译器；auto 在 CPU 上不编译",
        ),
    )
    cuda_graphs: Literal["auto", "off"] = setting(
        "auto",
        about=Text(
            en="auto records whole steps as CUDA graphs, on a GPU of NVIDIA's",
            zh="auto 在 NVIDIA 显卡上把整个训练步录制为 CUDA 图",
        ),
    )
    threads: int | None = setting(
        None,
        ge=1,
        le=1024,
        unit="threads",
        about=Text(
            en="threads that compute on the CPU (else one a core, fewer where the cores are busy)",
            zh="CPU 计算所用的线程数（默认每核一个；核心繁忙时更少）",
        ),
    )
    prefetch: int | None = setting(
        None,
        ge=0,
        unit="batches",
        about=Text(
            en="batches made ahead in a thread of their own (else as suits the device)",
            zh="由单独线程提前准备的批数（默认视设备而定）",
        ),
    )
    engine: Literal["auto", "plain"] = setting(
        "auto",
        about=Text(
            en="plain computes exactly what a loop written by hand computes; auto is faster",
            zh="plain 与手写循环逐位相同；auto 更快",
        ),
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.schedule == "one-cycle" and self.warmup_epochs:
            raise EtudeErrorValue(
                en=f"warmup_epochs is {self.warmup_epochs:g}, but the one-cycle schedule has a warm-up of its own; "
                "use schedule cosine or constant, or leave warmup_epochs out.",
                zh=f"warmup_epochs 为 {self.warmup_epochs:g}，但 one-cycle 调度自带预热；"
                "请改用 cosine 或 constant 调度，或去掉 warmup_epochs。",
            )
        if self.step_size is not None and self.schedule != "step":
            raise EtudeErrorValue(
                en=f"step_size is {self.step_size:g}, but the schedule is {self.schedule}; it goes with schedule step.",
                zh=f"step_size 为 {self.step_size:g}，但调度是 {self.schedule}；它只用于 step 调度。",
            )
        if self.engine == "plain" and self.compile == "on":
            raise EtudeErrorValue(
                en="compile is on, but engine plain computes the network as it is written; use engine auto.",
                zh="compile 为 on，但 plain 引擎按原样计算网络；请用 auto 引擎。",
            )
        if self.engine == "plain" and self.precision == "bf16":
            raise EtudeErrorValue(
                en="precision is bf16, but engine plain computes in float32 only; use engine auto.",
                zh="precision 为 bf16，但 plain 引擎只用 float32 计算；请用 auto 引擎。",
            )
        return self

    def total_steps(self, steps_per_epoch: int) -> int:
        """The number of updates of the whole run."""
        return self.steps if self.steps is not None else self.epochs * steps_per_epoch
