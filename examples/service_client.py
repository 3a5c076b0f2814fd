"""A client of the service in 20 lines, without dependencies: start `ddfa serve` first.

Usage: python examples/service_client.py samples/test1.jpg --save head.glb
"""

import argparse
import base64
import json
import urllib.request
from pathlib import Path


def main() -> None:
    """Send a photo, print what comes back, save the first head."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--key", help="the service's API key, if it has one")
    parser.add_argument("--save", type=Path, help="GLB of the largest face")
    options = parser.parse_args()
    body = {"image": base64.b64encode(options.photo.read_bytes()).decode(), "parts": ["glb"] if options.save else []}
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": options.key} if options.key else {})
    request = urllib.request.Request(f"{options.address}/v1/align", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    for face in answer["faces"]:
        strongest = sorted(face["blendshapes"].items(), key=lambda item: -item[1])[:3]
        print(face["turn_nod_tilt_deg"], ", ".join(f"{name} {value:.2f}" for name, value in strongest))
    if options.save and answer["faces"]:
        options.save.write_bytes(base64.b64decode(answer["faces"][0]["files"]["glb"]["data"]))
        print(f"saved {options.save}")


if __name__ == "__main__":
    main()
