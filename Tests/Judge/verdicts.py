"""The judge's list of what was expected, what was found, and whether the two agree."""

import json


class Verdicts:
    def __init__(self):
        self.rows, self.figures = [], {}

    def same(self, station, expected, found, tolerance=0.0):
        """Numbers, lists or None. `expected` is the judge's."""
        good = near(expected, found, tolerance)
        self.rows.append((station, short(expected), short(found), "same" if good else "DIFFERS"))
        self.figures[station] = expected

    def voxels(self, station, expected, found, allowed):
        """Masks: how many voxels differ. `allowed` are those whose probability lies next to the threshold."""
        if expected.shape != found.shape:
            self.rows.append((station, expected.shape, found.shape, "DIFFERS"))
            return
        differ = int((expected != found).sum())
        self.rows.append((station, f"{int(expected.sum())} voxels", f"{differ} differ (allowed {allowed})",
                          "same" if differ == 0 else "within rounding" if differ <= allowed else "DIFFERS"))
        self.figures[station] = int(expected.sum())

    def absent(self, station):
        self.rows.append((station, "", "not there", "skipped"))

    def print_table(self):
        widths = [max(len(str(row[column])) for row in self.rows) for column in range(4)]
        for row in self.rows:
            print("  ".join(str(text).ljust(width) for text, width in zip(row, widths)).rstrip())
        differing = sum(row[3] == "DIFFERS" for row in self.rows)
        print(f"{len(self.rows)} comparisons, {differing} differ")
        return differing

    def write(self, path):
        path.write_text(json.dumps(self.figures, indent=1) + "\n")


def near(expected, found, tolerance):
    if isinstance(expected, (list, tuple)):
        return (isinstance(found, (list, tuple)) and len(expected) == len(found)
                and all(near(one, other, tolerance) for one, other in zip(expected, found)))
    if expected is None or found is None or isinstance(expected, str):
        return expected == found
    return abs(expected - found) <= tolerance


def short(value):
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 44 else text[:41] + "..."
