"""Both runtimes are the same function."""

import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from growbin_jobs.ai.offline import preprocessing
from growbin_jobs.ai.offline.classifier import make_runtime
from growbin_jobs.ai.offline.numpy_runtime import NumpyRuntime
from growbin_jobs.ai.offline.onnx_runtime import OnnxRuntime
from growbin_jobs.errors import ConfigurationError


def test_the_architecture_is_efficientnet_lite0(folded):
    convolutions = [convolution for block in folded.blocks for convolution in block.convolutions]
    numbers = sum(part.weight.size + part.bias.size for part in convolutions)

    assert len(folded.blocks) == 18
    assert len(convolutions) == 49
    assert sum(block.residual for block in folded.blocks) == 9
    # 4.652 million parameters are published for Lite0; folding leaves one bias a channel of its normalisations.
    assert numbers + folded.linear_weight.size + folded.linear_bias.size == pytest.approx(4.63e6, rel=0.01)


def test_both_agree_on_noise(runtimes):
    pixels = np.random.default_rng(1).uniform(-1, 1, (224, 224, 3)).astype(np.float32)

    assert_same(runtimes, pixels)


@pytest.mark.parametrize("name", ["pet_bottle", "newspaper"])
def test_both_agree_on_pictures(runtimes, sample_jpegs, name):
    assert_same(runtimes, preprocessing.pixels_of(sample_jpegs[name]))


def assert_same(runtimes, pixels):
    features, logits = runtimes["numpy"].run(pixels)
    other_features, other_logits = runtimes["onnxruntime"].run(pixels)

    assert features.shape == (1280,)
    assert logits.shape == (1000,)
    np.testing.assert_allclose(features, other_features, atol=1e-4)
    np.testing.assert_allclose(logits, other_logits, atol=1e-4)


@pytest.mark.parametrize("name", ["onnxruntime", "numpy"])
def test_the_input_is_left_as_it_was(runtimes, name):
    pixels = np.random.default_rng(2).uniform(-1, 1, (224, 224, 3)).astype(np.float32)
    before = pixels.copy()

    first, _ = runtimes[name].run(pixels)
    second, _ = runtimes[name].run(pixels)

    assert np.array_equal(pixels, before)
    assert np.array_equal(first, second)


def test_numpy_starts_no_threads_of_its_own(folded):
    NumpyRuntime(folded)

    assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


def test_onnxruntime_starts_no_threads_of_its_own(runtimes):
    options = runtimes["onnxruntime"]._session.get_session_options()

    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_auto_prefers_onnxruntime(folded):
    assert isinstance(make_runtime(folded, "auto"), OnnxRuntime)


@pytest.fixture
def without_onnxruntime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "growbin_jobs.ai.offline.onnx_runtime", raising=False)


@pytest.mark.usefixtures("without_onnxruntime")
def test_auto_takes_numpy_where_onnxruntime_is_missing(folded):
    assert isinstance(make_runtime(folded, "auto"), NumpyRuntime)


@pytest.mark.usefixtures("without_onnxruntime")
def test_a_runtime_that_was_asked_for_must_be_there(folded):
    with pytest.raises(ConfigurationError, match=r"GROWBIN_OFFLINE_RUNTIME=onnxruntime needs onnxruntime.*pip install"):
        make_runtime(folded, "onnxruntime")
