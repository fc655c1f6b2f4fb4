from lowres_stilts.study.figures import drawings


def row(intermediate, size):
    gain = {"value": 1.0, "ci95": [0.0, 2.0], "call": "undecided"}
    cost = {"training_seconds": 1.0}
    place = {"model": "m", "size": size, "transfer": "stack", "module": "default"}
    return {
        **place, "intermediate": intermediate, "target": "mood", "gain": gain, "languages": {}, "cost": cost,
        "score": {"value": 50.0, "ci95": [40.0, 60.0]}, "baseline": {"value": 49.0, "ci95": [39.0, 59.0]},
    }  # fmt: skip


def titles(rows):
    return [drawing.title for drawing in drawings({"rows": rows}) if drawing.name.startswith("gain-")]


def test_heat_maps_say_what_else_varies():
    rows = [row(task, size) for size in (50, "") for task in ("a", "b")]
    assert titles(rows) == [
        "Gain by intermediate task and target: 50 intermediate examples",
        "Gain by intermediate task and target: all intermediate examples",
    ]
    assert titles(rows[:2]) == ["Gain by intermediate task and target"]
