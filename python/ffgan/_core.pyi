# SPDX-License-Identifier: GPL-3.0-or-later
"""The C++ core: networks, inference and training on dlib. NumPy in, NumPy out."""

from typing import Any, Literal, Protocol, TypeAlias, TypedDict, type_check_only

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Int64: TypeAlias = NDArray[np.int64]
UInt8: TypeAlias = NDArray[np.uint8]
Network: TypeAlias = Literal["generator", "program", "table"]
DiscriminatorName: TypeAlias = Literal["program", "table"]
Parameters: TypeAlias = dict[str, Float32]

__version__: str
IMAGE_SHAPE: tuple[int, int, int]  # rows, columns, channels
LATENT_SIZE: int

class Layer(TypedDict):
    name: str
    shape: tuple[int, int, int]
    parameters: int
    multiply_adds: int

class Engine(TypedDict):
    dlib: str
    blas: str
    cuda: bool
    instructions: str  # the instruction set in use: `FFGAN_ISA`, else the best one
    compiled_instructions: str  # those to choose from
    bf16: bool  # whether a `Generator` can have that precision here
    convolution: str
    threads: int
    threads_from: str  # a variable, "the CPUs of the process" or "the program"

class GeneratorLoss(TypedDict):
    """A loss of G that plugs in, besides the adversarial one."""

    name: str
    setting: str  # `<name>_weight`, a setting of `Trainer`
    measure: str  # in what `Trainer.step` returns
    default: float  # of the weight: 0, without the loss
    help: str  # of the weight, one line
    title: str  # of the measure's chart
    unit: str  # what the chart's numbers are

def engine() -> Engine: ...
def set_threads(threads: int) -> None: ...
def profile_training(
    network: Network, batch: int = 16, repetitions: int = 5
) -> list[tuple[str, float, float, float]]:
    """(layer, forward, data gradient, filter gradient) of the convolutions, in ms per image."""

def layers(network: Network) -> list[Layer]: ...
def parameter_shapes(network: Network) -> dict[str, tuple[int, ...]]: ...

class DnnModel(TypedDict):
    generator: Parameters
    discriminator: Parameters
    dropout: float

def read_dnn(path: str) -> DnnModel: ...
def write_dnn(
    path: str, generator: Parameters, discriminator: Parameters, dropout: float
) -> None: ...

class Generator:
    """Inference: batch norm folded. `parameters` are those of `parameter_shapes("generator")`."""

    def __init__(
        self, parameters: Parameters, precision: Literal["float32", "bf16"] = "float32"
    ) -> None:
        """Raises `InstructionSetError` where products of bf16 cannot be computed."""

    def generate(self, latents: Float32) -> UInt8: ...
    def generate_float(self, latents: Float32) -> Float32: ...
    def profile(self, repetitions: int = 20) -> list[tuple[str, float]]:
        """(layer, milliseconds) for one image on all cores; empty on a device."""

class Discriminator:
    """Inference: dropout replaced by its expectation, batch norm on stored statistics."""

    def __init__(
        self, network: DiscriminatorName, parameters: Parameters, dropout: float
    ) -> None: ...
    def score(self, images: UInt8) -> Float32: ...
    def profile(self, repetitions: int = 20) -> list[tuple[str, float]]:
        """(layer, milliseconds) for one image on all cores; empty on a device."""

class FaceDetector:
    """dlib's frontal face detector."""

    def __init__(self) -> None: ...
    def detect(
        self, images: list[UInt8], upsamplings: int = 0, threshold: float = 0.0
    ) -> list[Float64]:
        """For each image (k, 5): left, top, right, bottom, confidence; best first."""

class CnnFaceDetector:
    """dlib's detector that is a network. `path` must be trusted."""

    def __init__(self, path: str) -> None: ...
    def detect(
        self, images: list[UInt8], upsamplings: int = 0, threshold: float = 0.0
    ) -> list[Float64]: ...

class FaceLandmarks:
    """dlib's shape predictor for faces. `path` must be trusted."""

    def __init__(self, path: str) -> None: ...
    @property
    def count(self) -> int: ...
    def find(self, image: UInt8, boxes: Int64) -> Int64:
        """Points (k, count, 2) of the faces in boxes (k, 4): column, row."""

    def locate(self, image: UInt8, boxes: Float64) -> Float64:
        """The same with fractions, for boxes to the middles of the outermost pixels."""

def face_squares(points: Int64, size: int, padding: float) -> Float64:
    """Points (k, 5 or 68, 2) -> (k, 4): column and row of the centre, side, radians clockwise."""

def resize(image: UInt8, rows: int, columns: int) -> UInt8:
    """`image` (h, w, 3) as (rows, columns, 3), the same bytes on every machine."""

def average_areas(image: UInt8, rows: int, columns: int) -> Float32:
    """A smaller `image`, from 0 to 255: as by `resize`, and not rounded."""

def cut_faces(image: UInt8, squares: Float64, size: int) -> UInt8:
    """Squares (k, 4) -> (k, size, size, 3)."""

def cluster_faces(count: int, pairs: Int64) -> Int64:
    """Pairs (n, 2) of faces that look like one person -> a cluster for each of count faces."""

class FaceEmbedder:
    """dlib's face recognition network. `path` must be trusted."""

    def __init__(self, path: str) -> None: ...
    def embed(self, images: UInt8) -> Float32:
        """Aligned faces (n, 150, 150, 3) -> embeddings (n, 128)."""

class FaceClassifier:
    """The age or the gender network of Cydral Technology.

    `weights`: as its ONNX file names them. Raises ValueError that names a tensor which is missing
    or has another shape.
    """

    def __init__(self, network: Literal["age", "gender"], weights: Parameters) -> None: ...
    @property
    def side(self) -> int:
        """Of a chip, in pixels: 64 or 32."""

    @property
    def classes(self) -> int:
        """81 ages, or female and male."""

    def probabilities(self, images: UInt8) -> Float32:
        """Aligned faces (n, side, side, 3) -> (n, classes)."""

def trainer_settings() -> dict[str, Any]:
    """The settings that `Trainer` takes, with their defaults; src/ffgan_core/training/ lists them.

    The weights of `generator_losses` are among them.
    """

def generator_losses() -> list[GeneratorLoss]:
    """The losses that plug in, in the order in which their gradients are added.

    The training settings have a weight, the command line an option and the report a chart for each
    of them, from here: a new one needs no change in Python.
    """

def adversarial_losses() -> dict[str, tuple[str, ...]]:
    """The choices for `loss`, each with those of `discriminator_norm` that it goes with."""

@type_check_only
class Communicator(Protocol):
    rank: int
    size: int

    def gather(self, own: memoryview, all: memoryview) -> None: ...
    def exchange(self, parts: memoryview, received: memoryview) -> None: ...
    def apart(self) -> OtherCommunicator | None: ...
    def waited(self, seconds: float) -> None: ...

@type_check_only
class OtherCommunicator(Protocol):
    """For a thread that sends gradients while others are computed."""

    rank: int
    size: int

    def gather(self, own: memoryview, all: memoryview) -> None: ...
    def exchange(self, parts: memoryview, received: memoryview) -> None: ...

class Trainer:
    """Adversarial training, one step at a time. One thread at a time."""

    def __init__(self, *, communicator: Communicator | None = None, **settings: Any) -> None:
        """`settings`: some of `trainer_settings`.

        With a `communicator` several processes share each step, rank r of R with images r, r + R,
        r + 2 R ... of the whole ones; the results are the same at all.

        Raises TypeError that names one which does not exist or is of the wrong type, ValueError
        that names one which is out of range or excluded by another.
        """
    def set_learning_rates(self, generator: float, discriminator: float) -> None: ...
    def set_blur(self, sigma: float) -> None:
        """From now on D sees all images blurred; `sigma` in pixels."""

    def step(
        self,
        real: UInt8,
        latents: Float32,
        *,
        update_generator: bool = True,
        anchored: int = 0,
        whole: int | None = None,
    ) -> dict[str, float]:
        """One adversarial step with images (n, 162, 162, 3) and latents (n, 100).

        The first `anchored` latents are the codes of the first images. `whole`: the images of all
        ranks, of which those of `anchored` are the first; by default as many of each. Returns what
        the parts of the step measured, by name: those of the discriminators, of `generator_losses`
        that have a weight, and 0 for what was not measured in this step.
        """

    def reconstruct(
        self, latents: Float32, images: UInt8, learning_rate: float, whole: int | None = None
    ) -> float:
        """One warm-start step of G alone: image i from code i; returns the pyramid loss."""

    def estimate_statistics(self, latents: Float32) -> None:
        """Batch-norm statistics of the averaged generator, over `latents` (n, 100)."""

    def sample(self, latents: Float32, averaged: bool = True) -> UInt8: ...
    def parameters(
        self, network: Literal["generator", "averaged", "discriminator"]
    ) -> Parameters: ...
    def gradients(self, network: Literal["generator", "averaged", "discriminator"]) -> Parameters:
        """The gradients that the last step left, under the parameters' names."""

    def set_parameters(
        self, network: Literal["generator", "averaged", "discriminator"], parameters: Parameters
    ) -> None: ...
    def reset_discriminator(self) -> None: ...
    @property
    def steps(self) -> int: ...
    def state(self) -> Parameters:
        """Everything that `load_state` needs to go on with the same bytes."""

    def load_state(self, state: Parameters) -> None: ...

class Projector:
    """From images to latents, by gradients through the generator. One thread at a time.

    `imagenet`: as `ffgan.features.training_network` returns it. `recognition`: the path of dlib's
    face recognition network, which must be trusted. Parts of a network that is not given must have
    a weight of 0.
    """

    def __init__(
        self, generator: Parameters, imagenet: Parameters = ..., recognition: str = ""
    ) -> None: ...
    def begin(
        self,
        targets: UInt8,
        latents: Float32,
        squares: Float64 | None = None,
        *,
        pyramid: float = 1.0,
        perceptual: float = 0.0,
        identity: float = 0.0,
        prior: float = 0.0,
    ) -> None:
        """Begin anew: latents (n, 100) that should give targets (n, 162, 162, 3).

        `squares` (n, 4): of each, where `face_squares` finds the face for chips of 150 pixels. The
        weights are those of `step`'s parts, of the identity's square.
        """

    def step(self, learning_rate: float) -> Float64:
        """One step of Adam; (n, 4) before it: pyramid, perceptual, identity, prior."""

    def measure(self, gradient: bool = False) -> tuple[Float64, Float32]:
        """What `step` returns, and the gradient (n, 100) of the weighted sum, or (0, 100)."""

    @property
    def latents(self) -> Float32: ...
