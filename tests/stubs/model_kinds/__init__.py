"""Ten kinds of model servers, one module each."""

from tests.stubs.model_kinds.azure import KIND as AZURE
from tests.stubs.model_kinds.cerebras import KIND as CEREBRAS
from tests.stubs.model_kinds.gemini import KIND as GEMINI
from tests.stubs.model_kinds.groq import KIND as GROQ
from tests.stubs.model_kinds.llamacpp import KIND as LLAMACPP
from tests.stubs.model_kinds.lmstudio import KIND as LMSTUDIO
from tests.stubs.model_kinds.mistral import KIND as MISTRAL
from tests.stubs.model_kinds.ollama import KIND as OLLAMA
from tests.stubs.model_kinds.openai import KIND as OPENAI
from tests.stubs.model_kinds.parts import Kind
from tests.stubs.model_kinds.vllm import KIND as VLLM

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (OPENAI, AZURE, GEMINI, MISTRAL, GROQ, CEREBRAS, OLLAMA, VLLM, LMSTUDIO, LLAMACPP)
}
