import struct

from hypothesis import given
from hypothesis import strategies as st

from ddfa.video.motion import osc

from .decoders import osc_messages

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
ARGUMENTS = st.lists(
    st.one_of(st.integers(-(2**31), 2**31 - 1), st.floats(width=32, allow_nan=False), TEXTS), max_size=9
)


@given(TEXTS, ARGUMENTS)
def test_messages(address, arguments) -> None:
    assert osc_messages(osc.message("/" + address, *arguments)) == [("/" + address, *arguments)]


def test_example_of_the_specification() -> None:
    """The second example of OSC 1.0: /foo with 1000, -1, "hello", 1.234 and 5.678."""
    expected = "2f666f6f 00000000 2c696973 66660000 000003e8 ffffffff 68656c6c 6f000000 3f9df3b6 40b5b22d"
    assert osc.message("/foo", 1000, -1, "hello", 1.234, 5.678) == bytes.fromhex(expected)


@given(st.lists(st.binary(min_size=0, max_size=60), max_size=20), st.integers(0, 200))
def test_bundles_keep_order_and_size(contents, largest) -> None:
    messages = [osc.message("/m", content.hex()) for content in contents]
    packed = list(osc.bundles(messages, largest))
    assert [one for bundle in packed for one in osc_messages(bundle)] == [("/m", content.hex()) for content in contents]
    for bundle in packed:
        assert len(bundle) <= largest or struct.unpack_from(">i", bundle, 16)[0] == len(bundle) - 20
