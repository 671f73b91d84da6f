"""photos.py: decoding and preprocessing of photos against Pillow, and quantizing by them against raw files."""
import io
import json
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image, ImageOps

HEIGHT, WIDTH = 61, 97
# Resized levels: this share may not differ by more than one.
MIN_PERCENT_WITHIN_1 = 99.9
MAX_SCALE_DIFFERENCE = 0.002
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX,
           "nearest": Image.Resampling.NEAREST}
PLAIN = {"resize": "stretch", "resampling": "pillow"}
SIZES = ((61, 97), (32, 48), (224, 224), (7, 300), (150, 20))


def picture(rng, mode="RGB", size=(WIDTH, HEIGHT)):
    """Smooth colours with noise over them."""
    w, h = size
    y, x = np.mgrid[0:h, 0:w]
    waves = [127 + 100 * np.sin(x / (5 + c) + c) * np.cos(y / (7 - c)) for c in range(3)]
    levels = np.clip(np.stack(waves, -1) + rng.normal(0, 12, (h, w, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(levels, "RGB").convert(mode)


def encoded(image, kind, **options):
    """The bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def files(rng):
    """{name: bytes}: every kind of file that is decoded."""
    rgb = picture(rng)
    made = {f"sub{s}_q{q}.jpg": encoded(rgb, "JPEG", quality=q, subsampling=s) for s in (0, 1, 2) for q in (30, 75, 97)}
    made |= {f"progressive{s}.jpg": encoded(rgb, "JPEG", progressive=True, subsampling=s) for s in (0, 2)}
    made["optimized.jpeg"] = encoded(rgb, "JPEG", optimize=True)
    made["restarts.jpg"] = encoded(rgb, "JPEG", restart_marker_blocks=3)
    made["gray.JPG"] = encoded(rgb.convert("L"), "JPEG")
    made |= {f"{mode}.png": encoded(picture(rng, mode), "PNG") for mode in ("RGB", "RGBA", "L", "LA", "P", "1")}
    palette = picture(rng).quantize(40)
    made["transparent.png"] = encoded(palette, "PNG", transparency=3)
    made["key.png"] = encoded(rgb, "PNG", transparency=(1, 2, 3))
    made["bits4.png"] = encoded(palette.quantize(12), "PNG", bits=4)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        size = (WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH)
        made[f"turned{orientation}.jpg"] = encoded(picture(rng, size=size), "JPEG", exif=exif)
        made[f"turned{orientation}.png"] = encoded(picture(rng, size=size), "PNG", exif=exif)
    return made


def identity_model(path, channels=3, dtype=TensorProto.FLOAT):
    """y = x[1, channels, h, w]."""
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", dtype, [1, channels, "h", "w"])],
                              [helper.make_tensor_value_info("y", dtype, None)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def fed(tools, folder, model, names, preprocess, size, channels=3):
    """What quantize-run feeds for each of the files, [channels, h, w] by name."""
    (folder / "list.txt").write_text("".join(f'"{folder / name}"\n' for name in names))
    (folder / "preprocess.json").write_text(json.dumps(preprocess))
    tools.call("quantize-run", ["--input_list", folder / "list.txt", "--preprocess", folder / "preprocess.json",
                                "--output_dir", folder / "out", "--save_inputs", folder / "in", "--input_dim", "x",
                                f"1,{channels},{size[0]},{size[1]}"], [model])
    return {name: np.load(folder / "in" / f"Result_{i}" / "x.npy")[0] for i, name in enumerate(names)}


def opened(path, mode="RGB"):
    return ImageOps.exif_transpose(Image.open(path)).convert(mode)


def expected(image, preprocess, size):
    """The same by Pillow: levels [h, w, c]."""
    h, w = size
    how = FILTERS[preprocess.get("filter", "bilinear")]
    if preprocess["resize"] == "crop":
        short = int(max(h, w) / preprocess.get("crop_fraction", 0.875) + 1e-6)
        k = short / min(image.size)
        image = image.resize((max(short, round(image.width * k)), max(short, round(image.height * k))), how)
        left, top = (image.width - w) // 2, (image.height - h) // 2
        image = image.crop((left, top, left + w, top + h))
    elif preprocess["resize"] == "letterbox":
        k = min(h / image.height, w / image.width)
        small = image.resize((max(1, round(image.width * k)), max(1, round(image.height * k))), how)
        color = tuple(preprocess["color"]) if image.mode == "RGB" else preprocess["color"]
        image = Image.new(image.mode, (w, h), color)
        centered = preprocess.get("position") != "top_left"
        image.paste(small, ((w - small.width) // 2, (h - small.height) // 2) if centered else (0, 0))
    else:
        image = image.resize((w, h), how)
    levels = np.asarray(image)
    return levels[:, :, None] if levels.ndim == 2 else levels


def check_decoding(checks, tools, folder, made):
    """Every level of every kind of file."""
    model = identity_model(folder / "identity.onnx")
    names = sorted(made)
    got = fed(tools, folder, model, names, PLAIN, (HEIGHT, WIDTH))
    for name in names:
        want = np.asarray(opened(folder / name)).transpose(2, 0, 1)
        checks.expect(np.array_equal(got[name], want),
                      f"{name}: {np.count_nonzero(got[name] != want)} of {want.size} levels differ")
    checks.note(f"decoding   {len(names)} files, every level as Pillow has it")


def check_resizing(checks, tools, folder, made):
    """Every filter and mode in several sizes, with and without a model that is gray."""
    names = ["sub2_q75.jpg", "turned6.jpg", "RGB.png", "gray.JPG"]
    modes = [{"resize": "stretch"}, {"resize": "crop"}, {"resize": "crop", "crop_fraction": 1.0},
             {"resize": "letterbox", "color": [1, 2, 3]},
             {"resize": "letterbox", "color": [114, 114, 114], "position": "top_left"}]
    num_levels, num_unequal, num_far = 0, 0, 0
    for channels in (3, 1):
        model = identity_model(folder / f"identity{channels}.onnx", channels)
        for mode in modes if channels == 3 else modes[:2]:
            for kind in FILTERS:
                for size in SIZES:
                    preprocess = {**mode, "resampling": "pillow", "filter": kind,
                                  "channels": "RGB" if channels == 3 else "gray"}
                    got = fed(tools, folder, model, names, preprocess, size, channels)
                    for name in names:
                        image = opened(folder / name, "RGB" if channels == 3 else "L")
                        want = expected(image, preprocess, size).transpose(2, 0, 1).astype(int)
                        apart = np.abs(got[name].astype(int) - want)
                        num_levels += apart.size
                        num_unequal += np.count_nonzero(apart)
                        num_far += np.count_nonzero(apart > 1)
                        checks.expect(np.mean(apart <= 1) * 100 >= MIN_PERCENT_WITHIN_1,
                                      f"{name} {preprocess} {size}: {100 * np.mean(apart > 1):.3f} % off by more than 1")
    checks.note(f"resizing   {num_levels} levels, {num_unequal} other than Pillow's, {num_far} by more than one")


def check_numbers(checks, tools, folder, _made):
    """Mean, deviation, scale and order of channels, to the last bit of float32."""
    model = identity_model(folder / "identity.onnx")
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    levels = np.asarray(opened(folder / "RGB.png"), np.float32)
    for preprocess, want in (
            ({"mean": mean, "std": std}, (levels - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)),
            ({"mean": 127.5, "scale": 0.0078125}, (levels - np.float32(127.5)) * np.float32(0.0078125)),
            ({"mean": mean, "channels": "BGR"}, levels[:, :, ::-1] - np.asarray(mean, np.float32))):
        got = fed(tools, folder, model, ["RGB.png"], {**PLAIN, **preprocess}, (HEIGHT, WIDTH))["RGB.png"]
        checks.expect(np.array_equal(got, want.transpose(2, 0, 1)), f"{preprocess}: other numbers")
    pixels = identity_model(folder / "pixels.onnx", dtype=TensorProto.UINT8)
    got = fed(tools, folder, pixels, ["RGB.png"], PLAIN, (HEIGHT, WIDTH))["RGB.png"]
    checks.expect(got.dtype == np.uint8 and np.array_equal(got, levels.transpose(2, 0, 1)), "uint8: other pixels")


def check(checks, tools, folder):
    """Files that are made here."""
    folder.mkdir(parents=True, exist_ok=True)
    made = files(np.random.default_rng(11))
    for name, content in made.items():
        (folder / name).write_bytes(content)
    for part in (check_decoding, check_resizing, check_numbers):
        part(checks, tools, folder, made)


def scales(encodings):
    return {(kind, entry["name"]): np.asarray(entry["scale"])
            for kind in ("activation_encodings", "param_encodings") for entry in encodings[kind]}


def check_encodings(checks, tools, case, shared, folder, count):
    """A model quantized by photos, and by the raw files that Pillow makes of them."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, shared / "tools" / "prepare_inputs.py", case.name, folder / "raw", "--split",
                    "calib", "--count", str(count)], check=True, stdout=subprocess.DEVNULL)
    names = (shared / "data" / "imagenet" / "calib.txt").read_text().split()[:count]
    photos = folder / "photos.txt"
    photos.write_text("".join(f"{shared / 'data' / 'imagenet' / 'images' / name}\n" for name in names))
    read = []
    for list_file, options in ((photos, ("--preprocess", "torchvision")), (folder / "raw" / "input_list.txt", ())):
        model = folder / f"{list_file.stem}.quantized.onnx"
        tools.call("quantize", ["--input_list", list_file, *options, "--output_path", model], [case.model])
        read.append(scales(json.loads((folder / f"{list_file.stem}.encodings.json").read_text())))
    ours, theirs = read
    checks.expect(ours.keys() == theirs.keys(), "photos: encodings of other tensors")
    worst = max(np.max(np.abs(ours[key] / theirs[key] - 1)) for key in theirs)
    checks.note(f"photos     {count} of them, {len(theirs)} encodings, scales at most {100 * worst:.4f} % apart")
    checks.expect(worst <= MAX_SCALE_DIFFERENCE, f"photos: a scale is {100 * worst:.3f} % off that of the raw files")
