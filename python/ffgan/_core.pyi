# SPDX-License-Identifier: GPL-3.0-or-later
"""The C++ core: networks, inference and training on dlib. NumPy in, NumPy out."""

from typing import Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray
from typing_extensions import NotRequired

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Int64: TypeAlias = NDArray[np.int64]
UInt8: TypeAlias = NDArray[np.uint8]
Network: TypeAlias = Literal["generator", "program", "table"]
DiscriminatorName: TypeAlias = Literal["program", "table"]
Parameters: TypeAlias = dict[str, Float32]

__version__: str

class Layer(TypedDict):
    name: str
    shape: tuple[int, int, int]
    parameters: int
    multiply_adds: int

class Engine(TypedDict):
    dlib: str
    blas: str
    cuda: bool
    instructions: str
    convolution: str
    threads: int

class StepResult(TypedDict):
    loss_d: float
    loss_g: float
    accuracy_real: float
    accuracy_fake: float
    penalty: float
    texture: float
    anchor: float
    chroma_excess: NotRequired[float]  # with its weight
    grid_excess: NotRequired[float]  # with its weight
    projected_loss: NotRequired[float]  # with a projected discriminator
    projected_accuracy: NotRequired[float]
    detail_loss: NotRequired[float]
    detail_accuracy: NotRequired[float]
    identity_distance: NotRequired[float]
    matching_distance: NotRequired[float]
    perceptual: NotRequired[float]
    imagenet_loss: NotRequired[float]  # with one that sees through an ImageNet network
    imagenet_accuracy: NotRequired[float]

def engine() -> Engine: ...
def set_threads(threads: int) -> None: ...
def profile_training(
    network: Network, batch: int = 16, repetitions: int = 5
) -> list[tuple[str, float, float, float]]:
    """(layer, forward, data gradient, filter gradient) of the convolutions, in ms per image."""

def layers(network: Network) -> list[Layer]: ...
def parameter_shapes(network: Network) -> dict[str, tuple[int, ...]]: ...
def augment(
    images: Float32,
    *,
    key: int,
    colour: bool = False,
    translation: int = 0,
    cutout: int = 0,
    adjoint: bool = False,
) -> Float32: ...
def pyramid_loss(images: Float32, targets: Float32, *, skip: int = 0) -> tuple[float, Float32]: ...
def patch_distance(images: Float32, targets: Float32, *, key: int) -> tuple[float, Float32]: ...
def chroma_detail(images: Float32) -> tuple[float, Float32]: ...
def grid_unevenness(images: Float32) -> tuple[float, Float32]: ...

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

    def __init__(self, parameters: Parameters) -> None: ...
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

def face_squares(points: Int64, size: int, padding: float) -> Float64:
    """Points (k, 5 or 68, 2) -> (k, 4): column and row of the centre, side, radians clockwise."""

def cut_faces(image: UInt8, squares: Float64, size: int) -> UInt8:
    """Squares (k, 4) -> (k, size, size, 3)."""

def cluster_faces(count: int, pairs: Int64) -> Int64:
    """Pairs (n, 2) of faces that look like one person -> a cluster for each of count faces."""

class FaceEmbedder:
    """dlib's face recognition network. `path` must be trusted."""

    def __init__(self, path: str) -> None: ...
    def embed(self, images: UInt8) -> Float32:
        """Aligned faces (n, 150, 150, 3) -> embeddings (n, 128)."""

class JudgedPairs(TypedDict):
    loss_d: float
    loss_g: float
    accuracy_real: float
    accuracy_fake: float
    penalty: float

class EnergyDistance:
    """Energy distance of two distributions, from batches of samples."""

    def __init__(self, size: int) -> None: ...
    def step(self, real: Float32, fakes: Float32) -> tuple[float, Float32]:
        """Of (n, size) each: by these and the last 512 samples of each, and its gradient."""

def features(network: str | Parameters, images: Float32) -> list[Float32]:
    """What that of `ProjectedDiscriminator` makes of (n, 3, 162, 162), pixels divided by 256.

    An array (n, channels, side, side) for each scale, the finest first.
    """

class ProjectedDiscriminator:
    """Heads on features of dlib's network, by its trusted path, or the ImageNet one, by tensors."""

    def __init__(
        self,
        network: str | Parameters,
        *,
        penalty: float = 0.0,
        details: float = 0.0,
        seed: int = 0,
    ) -> None: ...
    def step(
        self,
        images: Float32,
        *,
        key: int,
        learning_rate: float,
        heads: float = 1.0,
        identities: float = 0.0,
        statistics: float = 0.0,
        pairs: float = 0.0,
        paired: int = 0,
    ) -> tuple[JudgedPairs, JudgedPairs, dict[str, float], Float32]:
        """One update from (2 n, 3, 162, 162), n real ones and n fakes, pixels divided by 256.

        Of the heads for whole images, of those for details, the energy distances of the identities
        and of the features' statistics and the mean distance of the first `paired` pairs in both,
        as far as they count, and the gradient with respect to the fakes of `heads` times G's loss,
        summed over the heads, and of each distance times its weight.
        """

class Trainer:
    def __init__(
        self,
        *,
        discriminator: DiscriminatorName = "program",
        seed: int = 0,
        learning_rate_g: float = 2e-4,
        learning_rate_d: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        loss: Literal["logistic", "hinge", "relativistic"] = "logistic",
        label_smoothing: float = 0.0,
        dropout: float = 0.5,
        ema: float = 0.999,
        colour: bool = False,
        translation: int = 0,
        cutout: int = 0,
        joint_update: bool = False,
        discriminator_norm: Literal["batch", "fixed"] = "batch",
        gradient_penalty: float = 0.0,
        adversarial_weight: float = 1.0,
        texture_weight: float = 0.0,
        chroma_weight: float = 0.0,
        grid_weight: float = 0.0,
        smooth_upsampling: float = 0.0,
        projected_weight: float = 0.0,
        projected_penalty: float = 0.1,
        projected_details: float = 0.0,
        identity_weight: float = 0.0,
        matching_weight: float = 0.0,
        perceptual_weight: float = 0.0,
        recognition: str = "",
        imagenet_weight: float = 0.0,
        imagenet: Parameters = {},
    ) -> None: ...
    def set_learning_rates(self, generator: float, discriminator: float) -> None: ...
    def set_blur(self, sigma: float) -> None:
        """From now on D sees all images blurred; `sigma` in pixels."""

    def step(
        self,
        real: UInt8,
        latents: Float32,
        *,
        update_generator: bool = True,
        anchor_images: UInt8 | None = None,
        anchor_weight: float = 0.0,
        anchor_skip: int = 0,
    ) -> StepResult:
        """One adversarial step.

        With `anchor_images` the first latents are their codes, and G's update has a reconstruction
        term, without the pyramid's `anchor_skip` finest levels.
        """

    def reconstruct(self, latents: Float32, images: UInt8, learning_rate: float) -> float:
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
