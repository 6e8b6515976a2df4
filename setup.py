from setuptools import find_packages, setup

rooms = ["datasets", "sim", "recon", "bench", "reports"]
packages = [f"veristem.{name}" for room in rooms for name in [room, *(f"{room}.{sub}" for sub in find_packages(room))]]
setup(packages=packages, package_dir={f"veristem.{room}": room for room in rooms})
