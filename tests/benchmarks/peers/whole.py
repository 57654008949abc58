"""Convert a stock MultiPose graph to a LiteRT file that ends in the map of every head, as anyone would."""

import argparse
from pathlib import Path

import tensorflow as tf

from tests.support.whole_heads import WholeHeads
from workers.models.convert import cut_trunk, stock_signature


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stock", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    trunk, module = cut_trunk(stock_signature(str(given.stock))), tf.Module()
    named = tf.function(
        lambda frames: dict(zip(WholeHeads._fields, trunk.run(frames), strict=True)),
        input_signature=trunk.run.input_signature,
    )
    module.serve = named
    converter = tf.lite.TFLiteConverter.from_concrete_functions([named.get_concrete_function()], module)
    given.target.write_bytes(converter.convert())


if __name__ == "__main__":
    main()
