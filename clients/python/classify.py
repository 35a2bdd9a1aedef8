"""Classify text files over one streaming call to a glotsift server."""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).with_name("generated")))

import grpc
from glotsift.v1 import article_pb2, classifier_pb2, classifier_pb2_grpc


def requests(files):
    for name in files:
        text = sys.stdin.read() if name == "-" else pathlib.Path(name).read_text("utf-8", "replace")
        yield classifier_pb2.StreamClassifyArticlesRequest(
            request_id=name,
            article=article_pb2.Article(text=text),
            offset_encoding=article_pb2.ENCODING_TYPE_UTF32,
            options=article_pb2.ClassifyOptions(truncate=True),
        )


def describe(response):
    language = response.language
    words = [f"{language.bcp47_tag} ({language.probability:.2f})"]
    decided = response.topic_decision.outcome == article_pb2.Decision.OUTCOME_DECIDED
    if decided and response.topics:
        words.append(f"{response.topics[0].name} ({response.topics[0].probability:.2f})")
    words.append(article_pb2.SpamVerdict.Name(response.spam.verdict).removeprefix("SPAM_VERDICT_").lower())
    for span in response.noise:
        kind = article_pb2.NoiseKind.Name(span.kind).removeprefix("NOISE_KIND_").lower()
        words.append(f"{kind} {span.start}..{span.end} {span.text!r}")
    return "; ".join(words)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE", help="text files in UTF-8; - for standard input")
    parser.add_argument("--address", default="127.0.0.1:50051")
    args = parser.parse_args()

    failed = False
    with grpc.insecure_channel(args.address) as channel:
        stub = classifier_pb2_grpc.ClassifierServiceStub(channel)
        try:
            for reply in stub.StreamClassifyArticles(
                requests(args.files), timeout=60, wait_for_ready=True
            ):
                if reply.WhichOneof("result") == "error":
                    failed = True
                    print(f"{reply.request_id}: {reply.error.reason}: {reply.error.message}", file=sys.stderr)
                else:
                    print(f"{reply.request_id}: {describe(reply.response)}")
        except grpc.RpcError as error:
            sys.exit(f"error: {error.code().name}: {error.details()}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
