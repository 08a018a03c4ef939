"""Draw the documentation's pictures anew, from real coders on real text: python docs/draw"""

from pathlib import Path

from pictures import PICTURES

DOCS = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        draw().save(DOCS / name)
        print(DOCS / name)
