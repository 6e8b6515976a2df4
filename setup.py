from setuptools import find_packages, setup

rooms = ["datasets", "sim", "recon", "bench", "reports"]
face = "bench.face"  # what `import veristem` gives: a package of its own, above the rooms
below = [f"{room}.{sub}" for room in rooms for sub in find_packages(room)]
packages = ["veristem", *(f"veristem.{name}" for name in (*rooms, *below) if name != face)]
setup(packages=packages, package_dir={"veristem": "bench/face"} | {f"veristem.{room}": room for room in rooms})
