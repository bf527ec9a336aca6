"""Training: settings and presets, recipes of each kind of model, one resumable loop, figures of a run."""
