# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training run can be asked for: everything about a setting stands in its declaration.

The marks that declarations carry:

- ``life``: ``start`` belongs to one start of a run and is not kept with it; ``limit`` ends the run,
  and giving one to a resumed run replaces all; ``fixed`` cannot change when a run is resumed, which
  would not be the same run; without it the setting may change on the way.
- ``publish``: it stands in the metadata of the model file. Never a path, nor the name of a run.
- ``home="trainer"``: it is handed to `ffgan._core.Trainer` under its name.
- ``needs="warm_start"``: it means something only after a warm start; without one it is left out of
  a recipe.

tools/settings_table.py puts the table of these settings into docs/training.md.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, create_model, model_validator

from ffgan import _core
from ffgan.images import Colour, Fit
from ffgan.latent import MAX_SEED
from ffgan.settings import BaseSettings, LocalPathText, PathText, markdown_table, setting
from ffgan.shapes import IMAGE_SIZE

DEFAULT_EPOCHS = 25
DEFAULT_EVALUATE_EVERY = 1000
AUGMENTATIONS = ("colour", "translation", "cutout")
MAX_WEIGHT = 1e6
LONGEST = 10**9  # passes or minutes: 2,000 years

RUN = "run"
OPTIMISATION = "networks and optimisation"
LOSSES = "losses of the generator"
PROJECTED = "projected discriminators"
WARM_START = "warm start"
IMAGES = "images"
OUTPUT = "output"
MACHINE = "machine"

# What the settings of a group have in common.
_run = partial(setting, group=RUN)
_optimisation = partial(setting, group=OPTIMISATION, publish=True)
_trainer = partial(_optimisation, home="trainer")
_weight = partial(
    setting, ge=0, le=MAX_WEIGHT, metavar="WEIGHT", group=LOSSES, home="trainer", publish=True
)
_projected = partial(setting, group=PROJECTED)
_warm_start = partial(setting, group=WARM_START, publish=True, needs="warm_start")
_images = partial(setting, group=IMAGES)
_output = partial(setting, group=OUTPUT, publish=True)
_machine = partial(setting, group=MACHINE)


def _init(text: str) -> str:
    kind, colon, path = text.partition(":")
    if not (path and kind == "model") and (colon or kind not in ("resume", "model", "scratch")):
        raise ValueError("resume, model, model:FILE or scratch")
    return text


def _folder_name(text: str) -> str:
    if text in ("", ".", "..") or set("/\\\0") & set(text):
        raise ValueError("the name of a folder, without slashes")
    return text


def _augmentations(text: str) -> str:
    if text not in ("none", "all") and not set(text.split(",")) <= set(AUGMENTATIONS):
        raise ValueError("none, all, or a list such as " + ",".join(AUGMENTATIONS))
    return text


def _loss_weights() -> dict[str, Any]:
    """A field for the weight of each loss that the core can add to the generator's."""
    fields = {}
    for loss in _core.generator_losses():
        marks: dict[str, Any] = {"needs": "warm_start"} if loss["name"] == "anchor" else {}
        fields[loss["setting"]] = (float, _weight(loss["default"], help=loss["help"], **marks))
    return fields


if TYPE_CHECKING:

    class _LossWeights(BaseSettings):
        anchor_weight: float = 0.0
else:
    _LossWeights = create_model("_LossWeights", __base__=BaseSettings, **_loss_weights())


class Settings(_LossWeights):
    """What a run can be asked for; the command line's options are these names with dashes.

    The defaults are the original's where it has them; ``recipe`` names other ones for a new run.
    docs/training.md explains each. Raises UsageError naming the option when a value is outside its
    range, or excludes another.
    """

    command = "ffgan train"
    groups: ClassVar[tuple[str, ...]] = (
        RUN,
        OPTIMISATION,
        LOSSES,
        PROJECTED,
        WARM_START,
        IMAGES,
        OUTPUT,
        MACHINE,
    )

    # ------------------------------------------------------------------ the run

    runs: LocalPathText = _run(
        "runs", metavar="DIR", help="folder of all runs", common=True, life="start"
    )
    name: Annotated[str, AfterValidator(_folder_name)] | None = _run(
        None,
        metavar="NAME",
        help="name of this run, a folder in it",
        absent="the name of DIR",
        common=True,
        life="start",
    )
    init: Annotated[str, AfterValidator(_init)] | None = _run(
        None,
        metavar="HOW",
        help="resume: continue the run; model, model:FILE: fine-tune the packaged or that model; "
        "scratch: random weights",
        absent="resume if the run has a checkpoint, else model if one is packaged, else scratch",
        common=True,
        life="start",
    )
    recipe: str | None = _run(
        None,
        metavar="{original,warm,projected,FILE.toml}",
        help="the defaults of a new run: original, as the original trained; warm, a warm start "
        "first; projected, two more discriminators on frozen networks, which needs the extras "
        "'faces' and 'imagenet'; or a file of your own",
        absent="projected with both extras, else warm",
        common=True,
        life="fixed",
        publish=True,
    )
    seed: int = _run(
        0,
        ge=0,
        le=MAX_SEED,
        metavar="SEED",
        help="seed of everything random",
        common=True,
        life="fixed",
        home="trainer",
        publish=True,
    )
    steps: int | None = _run(
        None,
        ge=1,
        metavar="N",
        help="end after this many steps",
        absent="no limit",
        common=True,
        life="limit",
    )
    epochs: float | None = _run(
        None,
        gt=0,
        le=LONGEST,
        metavar="N",
        help="end after this many passes over the images",
        absent=f"{DEFAULT_EPOCHS} without --steps or --minutes",
        common=True,
        life="limit",
    )
    minutes: float | None = _run(
        None,
        gt=0,
        le=LONGEST,
        metavar="MINUTES",
        help="end after this time",
        absent="no limit",
        common=True,
        life="limit",
    )
    heldout: PathText | None = _run(
        None,
        metavar="DIR",
        help="folder of held-out images to evaluate the generator on at intervals; the best model "
        "is kept",
        absent="no evaluation",
        common=True,
    )
    evaluate_every: int | None = _run(
        None,
        ge=0,
        metavar="STEPS",
        help="steps between two evaluations; 0: none",
        absent=f"{DEFAULT_EVALUATE_EVERY} with --heldout",
    )
    evaluate_samples: int = _run(
        500,
        ge=16,
        le=100_000,
        metavar="N",
        help="generated faces, and held-out images, of an evaluation",
    )

    # ------------------------------------------------------------------ networks and optimisation

    discriminator: Literal["program", "table"] = _trainer(
        "program", help="architecture; table costs 22 times as much per image", life="fixed"
    )
    batch: int = _optimisation(
        64, ge=2, le=4096, metavar="N", help="images per step", common=True, life="fixed"
    )
    learning_rate_g: float = _trainer(
        2e-4, gt=0, lt=1, metavar="RATE", help="learning rate of the generator (Adam)"
    )
    learning_rate_d: float = _trainer(
        2e-4, gt=0, lt=1, metavar="RATE", help="learning rate of the discriminators (Adam)"
    )
    beta1: float = _trainer(0.5, ge=0, lt=1, metavar="BETA", help="decay of Adam's first moment")
    beta2: float = _trainer(0.999, ge=0, lt=1, metavar="BETA", help="decay of Adam's second moment")
    loss: Literal["logistic", "hinge", "relativistic"] = _trainer(
        "logistic",
        help="adversarial loss; relativistic with fixed norms only, hinge without them",
        life="fixed",
    )
    discriminator_norm: Literal["batch", "fixed"] = _trainer(
        "batch",
        help="batch normalisation of the discriminator: by each batch, or by statistics that are "
        "measured once and stay fixed",
        life="fixed",
    )
    gradient_penalty: float = _trainer(
        0.0,
        ge=0,
        le=MAX_WEIGHT,
        metavar="WEIGHT",
        help="weight of the R1 gradient penalty; needs fixed norms",
    )
    new_discriminator: bool = _optimisation(False, help="fine-tune with an untrained discriminator")
    label_smoothing: float = _trainer(
        0.0,
        ge=0,
        le=0.5,
        metavar="X",
        help="one-sided label smoothing: the label of real images becomes 1 - X",
    )
    dropout: float = _trainer(
        0.5, ge=0, lt=1, metavar="RATE", help="dropout rate of the discriminator"
    )
    ema: float = _trainer(
        0.999,
        ge=0,
        lt=1,
        metavar="DECAY",
        help="decay of the exponential moving average of the generator's weights",
    )
    joint_update: bool = _trainer(
        False,
        help="update the discriminator once from real and generated images, not once from each",
        life="fixed",
    )
    discriminator_warmup: int = _optimisation(
        0, ge=0, metavar="STEPS", help="first adversarial steps that train the discriminator alone"
    )
    smooth_upsampling: float = _trainer(
        0.0,
        ge=0,
        le=1,
        metavar="SHARE",
        help="share of the checkerboard in the generator's kernels that each step removes",
    )
    blur: float = _optimisation(
        0.0,
        ge=0,
        le=16,
        metavar="SIGMA",
        help="standard deviation, in pixels, of a Gaussian blur of all images before the "
        "discriminator",
    )
    blur_steps: int = _optimisation(
        0, ge=0, metavar="STEPS", help="steps in which that blur falls to 0; 0: it stays"
    )

    # ------------------------------------------------------------------ losses of the generator

    adversarial_weight: float = _weight(
        1.0, help="weight of the adversarial loss; 0: the discriminator is not trained"
    )
    identity_weight: float = _weight(
        0.0,
        help="weight of the energy distance between face embeddings of generated and real images "
        "(diversity of identities); needs --projected-weight",
    )
    matching_weight: float = _weight(
        0.0,
        help="weight of the energy distance between feature statistics of generated and real "
        "images; needs --projected-weight or --imagenet-weight",
    )
    frechet_weight: float = _weight(
        0.0,
        help="weight of the Frechet distance between features of generated and real images, by "
        "means and covariances; needs --projected-weight or --imagenet-weight",
    )
    perceptual_weight: float = _weight(
        0.0,
        help="weight of the perceptual distance between the anchor's images and their "
        "reconstructions; needs --anchor-weight",
        needs="warm_start",
    )

    # ------------------------------------------------------------------ projected discriminators

    projected_weight: float = _weight(
        0.0,
        group=PROJECTED,
        help="weight of a discriminator on features of dlib's face recognition network; needs the "
        "extra 'faces', and fixed norms",
    )
    imagenet_weight: float = _weight(
        0.0,
        group=PROJECTED,
        help="weight of a discriminator on features of an ImageNet network; needs the extra "
        "'imagenet', and fixed norms",
    )
    imagenet_enlarged: bool = _projected(
        False,
        help="show that network the images at 224x224 pixels, as evaluate does with its own, "
        "instead of 162x162: slower, and nearer to what people see",
        life="fixed",
    )
    projected_penalty: float = _weight(
        0.1, group=PROJECTED, help="weight of the R1 gradient penalty of both"
    )
    projected_details: float = _projected(
        0.0,
        ge=0,
        le=1,
        metavar="SHARE",
        help="share of the images of which the first one also sees a part at twice the size",
        home="trainer",
        publish=True,
    )
    recognition: LocalPathText | None = _projected(
        None,
        metavar="FILE",
        help="dlib's face recognition network, a file from somebody you trust",
        absent="that of the extra 'faces'",
    )

    # ------------------------------------------------------------------ the warm start

    warm_start: int = _warm_start(
        0,
        ge=0,
        metavar="STEPS",
        help="first steps, from scratch only, that teach the generator to reconstruct the images "
        "from their principal components",
        life="fixed",
    )
    warm_start_batch: int = _warm_start(
        32, ge=2, le=4096, metavar="N", help="images per step of the warm start", life="fixed"
    )
    codes: LocalPathText | None = _warm_start(
        None,
        metavar="FILE",
        help="what the codes are, vectors that are known of each image, such as the latents of the "
        "generator that drew them; NumPy's .npz with names and codes",
        absent="principal components of the images",
        publish=False,
    )
    identity_codes: int = _warm_start(
        0,
        ge=0,
        le=64,
        metavar="N",
        help="how many of the 100 code dimensions encode the face embedding instead of pixels",
    )
    anchor_share: float = _warm_start(
        0.5, ge=0, le=1, metavar="SHARE", help="share of a batch that --anchor-weight is for"
    )
    anchor_skip: int = _warm_start(
        0,
        ge=0,
        le=4,
        metavar="N",
        help="finest levels of detail that the anchor does not constrain",
        home="trainer",
    )

    # ------------------------------------------------------------------ images

    colour: Colour = _images(
        "convert",
        help="convert: images in another colour space become sRGB; ignore: their numbers are taken "
        "as they are; a packed file has done one of the two",
        life="fixed",
        publish=True,
    )
    include_generated: bool = _images(
        False, help="take pictures of faces that ffgan generated, too", life="fixed", publish=True
    )
    fit: Fit = _images(
        "crop", help="how an image that is not square is made so", life="fixed", publish=True
    )
    flip: bool = _images(
        False, help="mirror half of the images", common=True, life="fixed", publish=True
    )
    augment: Annotated[str, AfterValidator(_augmentations)] = _images(
        "none",
        metavar="LIST",
        help="differentiable augmentation: none, all, or a list such as colour,translation,cutout",
        publish=True,
    )
    translation: int = _images(
        12,
        ge=0,
        le=IMAGE_SIZE,
        metavar="PIXELS",
        help="largest shift of the augmentation translation",
        publish=True,
    )
    cutout: int = _images(
        48,
        ge=0,
        le=IMAGE_SIZE,
        metavar="PIXELS",
        help="side of the hole of the augmentation cutout",
        publish=True,
    )
    augment_share: float = _images(
        1.0,
        ge=0,
        le=1,
        metavar="SHARE",
        help="share of the images, by chance, that --augment changes",
        home="trainer",
        publish=True,
    )
    image_weights: LocalPathText | None = _images(
        None,
        metavar="FILE",
        help="how often each image comes beside the others; a table (CSV) with the columns image "
        "and weight",
        absent="all come as often",
        publish=False,
    )
    cache: LocalPathText | None = _images(
        None, metavar="FILE", help="keep the decoded images in this file", absent="no cache"
    )

    # ------------------------------------------------------------------ output

    log_every: int = _output(
        100, ge=1, metavar="STEPS", help="steps between two lines of train.jsonl"
    )
    sample_every: int = _output(500, ge=1, metavar="STEPS", help="steps between two sample grids")
    checkpoint_every: int = _output(
        1000, ge=1, metavar="STEPS", help="steps between two checkpoints"
    )
    checkpoint_minutes: float = _output(
        10.0, gt=0, le=LONGEST, metavar="MINUTES", help="longest time between two checkpoints"
    )
    keep_checkpoints: int = _output(3, ge=1, metavar="N", help="how many checkpoints are kept")
    window: bool = setting(
        False, group=OUTPUT, help="show the sample grids in a window", common=True
    )

    # ------------------------------------------------------------------ machine

    threads: int | None = _machine(
        None,
        ge=1,
        le=1024,
        metavar="N",
        help="threads of the engine",
        absent="FFGAN_NUM_THREADS, OMP_NUM_THREADS, else one per core",
        common=True,
        publish=True,
    )
    workers: int = _machine(2, ge=1, le=256, metavar="N", help="threads that read images")

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        fixed = self.discriminator_norm == "fixed"
        needs_fixed = ["gradient_penalty", "projected_weight", "imagenet_weight"]
        wrong = [name for name in needs_fixed if getattr(self, name) and not fixed]
        if wrong:
            raise ValueError(f"{_flag(wrong[0])} needs --discriminator-norm fixed")
        norms = _core.adversarial_losses()[self.loss]
        if self.discriminator_norm not in norms:
            raise ValueError(f"--loss {self.loss} needs --discriminator-norm {norms[0]}")
        needs_one_of = {
            "projected_details": ["projected_weight"],
            "identity_weight": ["projected_weight"],
            "matching_weight": ["projected_weight", "imagenet_weight"],
            "frechet_weight": ["projected_weight", "imagenet_weight"],
            "perceptual_weight": ["projected_weight", "imagenet_weight"],
            "codes": ["warm_start", "anchor_weight"],
            "identity_codes": ["warm_start", "anchor_weight"],
        }
        for name, others in needs_one_of.items():
            if getattr(self, name) and not any(getattr(self, other) for other in others):
                raise ValueError(f"{_flag(name)} needs {' or '.join(map(_flag, others))}")
        if self.codes is not None and self.identity_codes:
            raise ValueError("--codes takes the place of --identity-codes: leave one of them out")
        if self.perceptual_weight and not self.anchor_weight:
            raise ValueError("--perceptual-weight needs --anchor-weight")
        if self.evaluate_every and self.heldout is None:
            raise ValueError("--evaluate-every measures on images held out: give --heldout DIR")
        return self

    @property
    def augmentations(self) -> frozenset[str]:
        """The chosen ones of `AUGMENTATIONS`."""
        if self.augment == "none":
            return frozenset()
        return frozenset(AUGMENTATIONS if self.augment == "all" else self.augment.split(","))

    def published(self) -> dict[str, Any]:
        """What the metadata of the model file say about these settings: no path among it."""
        return {name: getattr(self, name) for name in self.names(publish=True)}


def table() -> str:
    """The table of settings in docs/training.md."""
    fixed = Settings.names(life="fixed")
    return markdown_table(Settings, dict.fromkeys(fixed, " (fixed when a run is resumed)"))


def _flag(name: str) -> str:
    return Settings.about()[name].flag
