#!/bin/sh
pip install --user wandb
