# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What models learn from
#
# Classifiers of genre, mood and the rest learn from *renders*: short pieces that were composed and played
# to order, so that the descriptor of each is known. This notebook looks at such a corpus before anything
# is learned from it, with the figures that the study drew of its own: A. Sigman, "Data on Amper Music and
# Icelandic Indie Audio" (2020), here *the study*.
#
# - Creators of descriptors see what their catalogue holds, and what it holds too little of.
# - Those who train models see which numbers they have to go by, and why data are split by recording.

# %%
import os
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc

from amper_spark.classify.features import WindowFeatures
from amper_spark.classify.model import matrix_of
from amper_spark.classify.windows import TABLE_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.report.near_windows import nearest_windows, window_distances
from amper_spark.report.training_data import (
    affect_dependence,
    corpus_contents,
    corpus_durations,
    describe_descriptors,
    describe_windows,
    tempo_errors,
    tempo_summary,
)
from amper_spark.report.training_pictures import (
    affect_picture,
    distances_picture,
    features_picture,
    moods_picture,
    tempo_by_affect_picture,
    tempo_by_style_picture,
)
from amper_spark.spark.lake import Lake
from amper_spark.spark.views import read_view

# %matplotlib inline

# %% [markdown]
# ## Which corpus
#
# A lake is a folder of tables, or an `s3://` URI; see [tables.md](../docs/tables.md). Notebooks run in
# their own folder, so that `../demo/lake` is the lake that `make train` fills. A catalogue of your own is
# a folder, as `amper-spark descriptors import` writes it.

# %% tags=["parameters"]
LAKE = os.environ.get("AMPER_SPARK_LAKE", "../demo/lake")
CORPUS = os.environ.get("AMPER_SPARK_CORPUS", "renders")
CATALOGUE = os.environ.get("AMPER_SPARK_CATALOGUE")

# %%
lake = Lake(LAKE)
catalogue = load_catalogue(Path(CATALOGUE)) if CATALOGUE else load_catalogue()
columns = ["track_id", "recording_id", "descriptor", "start_s", "end_s", *TABLE_COLUMNS]
windows = read_view(lake, "windows", corpus=CORPUS).select(columns).to_pandas()
windows = describe_windows(windows, catalogue)
if windows.empty:
    raise SystemExit(
        f"{LAKE} has no analysed renders in the corpus {CORPUS!r}: run `make train` first, "
        "or name another lake in AMPER_SPARK_LAKE, another corpus in AMPER_SPARK_CORPUS"
    )

# The tempo that was played is among the tags of a render.
played_bpm = {}
for tracks in lake.scan("tracks", ["track_id", "tags"], where=pc.field("corpus") == CORPUS):
    tempi_bpm = pc.map_lookup(tracks["tags"], "tempo_bpm", "first")
    played_bpm.update(zip(tracks["track_id"].to_pylist(), tempi_bpm.to_pylist(), strict=True))
windows["played_bpm"] = pd.to_numeric(windows["track_id"].map(played_bpm), errors="coerce")

# %% [markdown]
# ## 1. What the corpus holds
#
# Each recording is cut into windows of 10 s, a new one every 2 s. A model hears one window at a time. So
# long recordings weigh more than short ones: at 10 s there is one window, at 60 s there are 26.

# %%
corpus_contents(windows)

# %%
corpus_durations(windows)

# %% [markdown]
# Recordings that the analysis refused, and why:

# %%
refused = read_view(lake, "quarantine", corpus=CORPUS)["reason"].to_pandas()
refused.value_counts().to_frame("recordings")

# %% [markdown]
# ## 2. Moods of each genre and subgenre
#
# A square is a descriptor: a style (genre and subgenre) with a mood. As in the study, moods are spread
# unevenly, `cinematic_ambient` has most, and about half of the descriptors are positive. A mood that one
# style alone has gives that style away; a style with few moods leaves a model little to choose from below
# it.

# %%
descriptors = describe_descriptors(catalogue)
moods_picture(descriptors)

# %% [markdown]
# ## 3. Sentiment, valence and momentum
#
# Each mood was given a *valence* by hand, from 0, unpleasant, to 3, pleasant, and a *momentum*, from 0,
# at rest, to 4. Few descriptors have valence 0, so levels 0 and 1 were merged, as in the study. Above: as
# given; below: as models learn it.

# %%
affect_picture(descriptors)

# %% [markdown]
# ## 4. Tempo
#
# The tempo of a window is measured, not looked up: models will hear music of which no more is known. The
# study heard medians near 120 BPM almost everywhere and took all above 200 BPM for errors, since nothing
# faster was played. Here the tempo that was played is known of each render.

# %%
tempo_summary(windows)

# %% [markdown]
# Shares of windows in which the tempo was heard within 4 %, at its half or double, or otherwise:

# %%
tempo_errors(windows)

# %%
tempo_by_style_picture(windows)

# %%
tempo_by_affect_picture(windows)

# %% [markdown]
# ## 5. Do sentiment, valence and momentum say the same?
#
# The study found sentiment and valence to be distinct, with a moderate positive correlation, and momentum
# to be independent of both. The catalogue can be asked. `correlation` is Spearman's, over moods, as each
# mood was given its affect once; `low` and `high` hold it with 95 % confidence.
#
# - Sentiment and valence go together, but are far from being one.
# - No link of sentiment and momentum shows.
# - Valence and momentum are not independent here: pleasant moods are somewhat livelier. Models that
#   predict the two apart, each below sentiment, make no use of that; those that choose a whole descriptor
#   do.

# %%
affect_dependence(descriptors)

# %% [markdown]
# ## 6. The study's 21 features
#
# What the study's models have to go by: boxes that stand apart tell genres apart. Models here hear more by
# default, see [models.md](../docs/models.md). The three principal components
# (`pca_1` to `pca_3`) and the standardisation are fitted to all windows here, for looking only. A model
# fits them to the recordings that it may learn from.

# %%
features = WindowFeatures("study").fit_transform(matrix_of(windows))
features_picture(windows, features)

# %% [markdown]
# ## 7. Why data are split by recording
#
# Neighbouring windows share 8 of their 10 s. Even windows of one recording that share no sound have its
# instruments, tempo and key. Put some of them among the training data and the others among the test data,
# and a model need only remember recordings to do well. In another recording of the same descriptor it
# finds no such help.

# %%
distances_picture(window_distances(windows, features))

# %% [markdown]
# Ask windows for their nearest neighbour, as KNN does. `same_recording`: how often it is of the same
# recording; `by_chance`: how often it were, drawn at random; `same_descriptor`: how often the nearest
# window of *other* recordings has the same descriptor. The first is what a split by window rewards; the
# last is what a listener to new music has. So scores by recording decide, and those by window are
# reported beside them only to compare with the study's.

# %%
nearest_windows(windows, features)
