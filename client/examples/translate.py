"""Translate and read attention from Python, with stubs generated from the contract.

docs/clients.md says how to make the stubs; then:

    PYTHONPATH=build/stubs build/python/bin/python client/examples/translate.py [address] [sentence]
"""
import json
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2

from attend.v1 import attention_pb2, attention_pb2_grpc, common_pb2, translation_pb2, translation_pb2_grpc

# Only UNAVAILABLE is safe to retry by itself; a full queue (RESOURCE_EXHAUSTED) says when to come back.
SERVICE_CONFIG = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": {
    "maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"]}}]})


def explain(error):
    """Reason, field and retry delay of a failed call."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
                    message = kind()
                    if detail.Unpack(message):
                        yield f"{kind.__name__}: {str(message).strip()}"


def main():
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"
    sentence = sys.argv[2] if len(sys.argv) > 2 else "The cat sat on the mat."
    channel = grpc.insecure_channel(address, options=[("grpc.service_config", SERVICE_CONFIG)])
    translation = translation_pb2_grpc.TranslationServiceStub(channel)
    attention = attention_pb2_grpc.AttentionServiceStub(channel)

    config = translation_pb2.TranslationConfig(
        source_language_code="en", target_language_code="fr", include_word_links=True,
        offset_unit=common_pb2.OFFSET_UNIT_CODE_POINT)
    answer = translation.Translate(translation_pb2.TranslateRequest(config=config, texts=[sentence]), timeout=30)
    result = answer.outcomes[0].translation
    print(sentence, "->", result.text)
    for link in result.links:
        print(f"  {result.target_words[link.target_word].text} <- {result.source_words[link.source_word].text} {link.score:.2f}")

    weights = attention.GetAttention(attention_pb2.GetAttentionRequest(
        model=result.model_revision.split("@")[0], source=sentence, target=result.text,
        selection=attention_pb2.AttentionSelection(
            kinds=[attention_pb2.ATTENTION_KIND_CROSS], preset="alignment",
            granularity=attention_pb2.ATTENTION_GRANULARITY_WORD, drop_special=True)), timeout=30).attention
    matrix = weights.matrices[0]
    for row in range(matrix.row_count):
        values = matrix.dense.weights[row * matrix.column_count:(row + 1) * matrix.column_count]
        best = max(range(len(values)), key=lambda i: values[i])
        print(f"  {weights.target_words[row].text:>12} rests on {weights.source_words[best].text} ({values[best]:.2f})")

    stream = translation.StreamTranslate(translation_pb2.StreamTranslateRequest(config=config, text=sentence), timeout=30)
    print("streamed:", "".join(event.delta.text for event in stream))

    try:
        translation.Translate(translation_pb2.TranslateRequest(texts=[]), timeout=30)
    except grpc.RpcError as error:
        print("an empty call is refused:", error.code().name, "|", " | ".join(explain(error)))


if __name__ == "__main__":
    main()
