import json
from pathlib import Path

import ddfa


def test_the_npm_package_has_the_version_of_the_python_package(root: Path) -> None:
    package = json.loads((root / "web" / "package" / "package.json").read_text())
    assert package["version"].replace("-dev.", ".dev") == ddfa.__version__
