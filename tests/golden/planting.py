"""Context managers that change one thing in a model or an object and put it back."""

import contextlib

import torch

import tiny_models


@contextlib.contextmanager
def changed(tensor, value):
    old = tensor.detach().clone()
    tensor.data.copy_(value.detach().clone())
    try:
        yield
    finally:
        tensor.data.copy_(old)


@contextlib.contextmanager
def replaced(owner, name, value):
    own = name in vars(owner) or name in getattr(owner, "_modules", {})
    old = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, old)
        else:
            delattr(owner, name)


def swap_halves(tensor, first, second, width):
    value = tensor.detach().clone()
    value[first * width : (first + 1) * width] = tensor[second * width : (second + 1) * width]
    value[second * width : (second + 1) * width] = tensor[first * width : (first + 1) * width]
    return value


@contextlib.contextmanager
def swapped(linear, first, second):
    width = tiny_models.WIDTH
    with changed(linear.weight, swap_halves(linear.weight, first, second, width)):
        with changed(linear.bias, swap_halves(linear.bias, first, second, width)):
            yield


@contextlib.contextmanager
def output_of(module, change):
    """Replaces what a module returns; change(args, result)."""
    hook = module.register_forward_hook(lambda _m, args, result: change(args, result))
    try:
        yield
    finally:
        hook.remove()


@contextlib.contextmanager
def replaced_config(model, **values):
    old = model._internal_dict
    model._internal_dict = type(old)({**old, **values})
    try:
        yield
    finally:
        model._internal_dict = old
