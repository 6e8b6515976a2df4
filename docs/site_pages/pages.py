"""Pages of the site that are written elsewhere: changelog, guide, cards of weights, reports of record."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

ALONE = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "docs/examples/method-package/README.md": "package",
}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_PICTURES = (".png", ".svg", ".jpg")


def write(root: Path, made: Path) -> None:
    """Write them into the folder of generated pages, their links pointing at pages or at files to download."""
    known = {name: made / f"{page}.md" for name, page in ALONE.items()}
    known |= {
        f"recon/weights/{p.name}": made / f"methods/{p.name}" for p in sorted((root / "recon/weights").glob("*.md"))
    }
    reports = sorted((root / "reports/published").glob("*/README.md"))
    known |= {str(p.relative_to(root)): made / f"reports/{p.parent.name}.md" for p in reports}
    beside = [p for source in reports for p in source.parent.glob("*.md") if p != source]
    known |= {str(p.relative_to(root)): made / f"reports/{p.parent.name}-{p.stem}.md" for p in beside}
    known |= {f"docs/{p.name}": p for p in sorted((root / "docs").glob("*.md"))}
    for name, page in known.items():
        if page.is_relative_to(made):
            save(
                page,
                moved((root / name).read_text("utf-8"), root, root / name, page, known) + data(root, root / name, page),
            )
    save(made / "tables/reports.md", cards(root, reports, beside))


def save(page: Path, text: str) -> None:
    """Write a page unless it is there already: what is as old as before is not built anew."""
    page.parent.mkdir(parents=True, exist_ok=True)
    if not page.exists() or page.read_text("utf-8") != text:
        page.write_text(text, encoding="utf-8")


def moved(text: str, root: Path, source: Path, page: Path, known: dict[str, Path]) -> str:
    """The text of a page at its new place."""

    def link(found: re.Match) -> str:
        mark, words, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if "://" in target or not path:
            return found[0]
        there = (source.parent / path).resolve()
        name = str(there.relative_to(root))
        name = name if name in known or not (there / "README.md").is_file() else f"{name}/README.md"
        if name in known:
            return f"{mark}[{words}]({os.path.relpath(known[name], page.parent)}{hash_}{anchor})"
        return f"{mark}[{words}]({copied(there, root, page)})" if there.is_file() else words

    if not text.startswith("# "):
        text = f"# {source.parent.name}: {source.stem}\n\n" + re.sub("^##+ ", "## ", text, flags=re.MULTILINE)
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)


def copied(file: Path, root: Path, page: Path) -> str:
    """A copy of a file in the folder of generated pages, as a link of a page."""
    made = next(folder for folder in page.parents if folder.name == "generated")
    copy = made / "files" / file.relative_to(root)
    copy.parent.mkdir(parents=True, exist_ok=True)
    if not copy.exists() or copy.stat().st_mtime < file.stat().st_mtime:
        shutil.copy2(file, copy)
    return os.path.relpath(copy, page.parent)


def data(root: Path, source: Path, page: Path) -> str:
    """What lies beside the text of a report: its results and what made them."""
    if "published" not in source.parts:
        return ""
    files = [p for p in sorted(source.parent.iterdir()) if p.is_file() and p.suffix not in (".md", *_PICTURES)]
    rows = [f"- [{p.name}]({copied(p, root, page)}), {p.stat().st_size / 1e3:,.0f} kB\n" for p in files]
    return "".join(["\n\n## Data\n\n", *rows]) if rows else ""


def cards(root: Path, reports: list[Path], beside: list[Path]) -> str:
    """A card a report, for a page beside the folder of generated ones: its question, its first picture."""
    found = []
    for source in reports:
        name, text = source.parent.name, source.read_text("utf-8")
        title = text.removeprefix("# ").partition("\n")[0]
        pictures = [target for mark, _, target in _LINK.findall(text) if mark and (source.parent / target).is_file()]
        there = root / "docs/generated/reports.md"
        top = f":img-top: generated/{copied(source.parent / pictures[0], root, there)}\n" if pictures else ""
        older = " {bdg-secondary}`older images`" if "> **Older images.**" in text else ""
        link = f":link: generated/reports/{name}\n:link-type: doc\n"
        found.append(f":::{{grid-item-card}} {title}\n{link}{top}\n`{name}`{older}\n:::\n\n")
    pages = [p.parent.name for p in reports] + [f"{p.parent.name}-{p.stem}" for p in beside]
    names = "".join(f"generated/reports/{page}\n" for page in pages)
    grid = f"::::{{grid}} 1 2 2 3\n:gutter: 3\n\n{''.join(found)}::::\n"
    return f"{grid}\n```{{toctree}}\n:hidden:\n\n{names}```\n"
