"""Broken models: their files, their locks."""
import os
import subprocess

from row import Row

MODEL, IO, REFUSED = 3, 5, 7
VAE = "vae/diffusion_pytorch_model.safetensors"
HERE = ("--model", "../model")


def of_model(name, says, remedy, **more):
    values = {"id": "model", "asks": HERE, "generate": MODEL, "serve": MODEL, **more}
    return Row(name=name, level="failure", says=says, remedy=remedy, **values)


def flip(path, place):
    """Changes one byte."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def shard_absent(room):
    (room.model() / VAE).unlink()


def truncated(room):
    weights = room.model() / VAE
    weights.write_bytes(weights.read_bytes()[:-1])


def pointer(room):
    (room.model() / VAE).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 335306212\n")


def pipe(room):
    weights = room.model() / VAE
    weights.unlink()
    os.mkfifo(weights)


def unreadable(room):
    (room.model() / VAE).chmod(0)
    room.as_nobody()


def locked(room, file, place):
    model = room.model()
    subprocess.run([room.octet, "lock", model, "-o", room.root / "octet.lock", "--quiet"], check=True)
    flip(model / file, place if place < 0 else (model / file).read_bytes().index(b"diffusers_version") + place)


MODELS = [
    of_model("model_absent", ("nowhere", "no such path"), "octet inspect", asks=("--model", "../nowhere"), generate=IO,
             serve=IO, broken="The model's folder does not exist.", how="a path that leads nowhere",
             build=lambda room: None),
    of_model("weights_absent", ("vae", "found (none|no safetensors)"), "octet inspect",
             broken="A part of the model has no weights: a download that was interrupted.",
             how="the VAE's file removed", build=shard_absent),
    of_model("weights_truncated", ("vae", "expected", "found"), "octet inspect", broken="A weight file is cut off.",
             how="its last byte removed", build=truncated),
    of_model("weights_are_a_pointer", ("vae", "expected", "found"), "octet inspect",
             broken="Weights were cloned without Git LFS: a pointer stands in their place.",
             how="the VAE's file replaced by such a pointer", build=pointer),
    of_model("weights_unreadable", ("vae", "Permission denied"), "octet inspect", generate=IO, serve=IO,
             broken="A weight file may not be read by this user.", how="mode 0000, started as another user",
             build=unreadable),
    of_model("weights_are_a_pipe", ("vae", "expected a regular file"), "octet inspect", generate=IO, serve=IO,
             broken="A pipe stands where weights should be: who opens it waits for ever.", how="a named pipe",
             build=pipe),
    of_model("variant_absent", ("fp8",), "octet inspect", asks=(*HERE, "--variant", "fp8"),
             broken="`--variant fp8` of a model that has no such files.", how="a model with FP16 only",
             build=lambda room: room.model()),
]

LOCKED = (*HERE, "--lock", "../octet.lock")


def of_lock(name, **more):
    return Row(name=name, id="model-lock", level="failure", remedy="octet (verify|lock)", 
               **{"asks": LOCKED, "generate": REFUSED, "serve": REFUSED, **more})


LOCKS = [
    of_lock("locked_config_changed", says=("scheduler_config.json", "locked", "found"),
            broken="One byte of a locked model's configuration changed.", how="one bit of it inverted",
            build=lambda room: locked(room, "scheduler/scheduler_config.json", 22)),
    of_lock("lock_absent", says=("nowhere.lock", "No such file"), generate=IO, serve=IO,
            asks=(*HERE, "--lock", "../nowhere.lock"), broken="The lock does not exist.", how="a path that leads nowhere",
            build=lambda room: room.model()),
    of_lock("locked_weights_changed", says=(VAE, "sha256", "locked", "found"), asks=(*LOCKED, "--lock-full"),
            broken="One byte of a locked model's weights changed.",
            how="one bit of the VAE's last weight inverted; `--lock-full` reads every byte",
            build=lambda room: locked(room, VAE, -1)),
]

ROWS = MODELS + LOCKS
