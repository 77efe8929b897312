-- Restorations and scores are named by what determined them; outputs and cells say where they belong.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started TEXT NOT NULL,      -- ISO 8601, UTC
    finished TEXT,              -- NULL: running or killed
    spec TEXT NOT NULL,         -- JSON of the spec as it ran
    provenance TEXT NOT NULL    -- JSON: git commit, package versions, device, dtype
);

CREATE TABLE methods (          -- the name a report shows, and what stands behind it
    name TEXT PRIMARY KEY,
    card TEXT NOT NULL,         -- JSON of the method card
    weights TEXT NOT NULL,      -- sha256 of the weight files, '' if none
    identity TEXT NOT NULL DEFAULT ''  -- digest of what determines its pixels beside the image; '': not known
) WITHOUT ROWID;

CREATE TABLE metrics (          -- enough to show and to compare values without the metric's code
    id TEXT PRIMARY KEY,
    version TEXT NOT NULL,      -- of the implementation and its weights, as the latest run measured
    card TEXT NOT NULL          -- JSON of the metric card
) WITHOUT ROWID;

CREATE TABLE sets (             -- the images of each dataset as the latest run planned them
    protocol TEXT NOT NULL,
    scale INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    image TEXT NOT NULL,
    luma INTEGER NOT NULL,      -- 1: LQ is a float Y plane; above 1: not known (from version 4)
    lq_rule TEXT NOT NULL,      -- how LQ is made, with the version of the rule
    lq TEXT NOT NULL,           -- '': the files cannot be read
    reference TEXT,
    run INTEGER NOT NULL,
    PRIMARY KEY (protocol, scale, dataset, image, luma)
) WITHOUT ROWID;

CREATE TABLE inputs (           -- what the files of one image gave
    key TEXT PRIMARY KEY,
    lq TEXT NOT NULL,
    reference TEXT              -- NULL: there is no HR
) WITHOUT ROWID;

CREATE TABLE restorations (
    key TEXT PRIMARY KEY,
    sr TEXT NOT NULL,
    seconds REAL,
    memory INTEGER,             -- bytes above idle at the peak
    device TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs (id)
) WITHOUT ROWID;

CREATE TABLE scores (
    key TEXT PRIMARY KEY,
    value REAL,                 -- NULL: defined for sets alone (AP of an image without objects); see payloads
    run INTEGER NOT NULL REFERENCES runs (id),
    version TEXT NOT NULL DEFAULT '',  -- of the metric, as in metrics; '': not known
    checksum INTEGER NOT NULL DEFAULT 0  -- CRC-32 of key and value: a flipped bit is noticed
) WITHOUT ROWID;

CREATE TABLE payloads (         -- what sets and figures need beside a score: radial spectra, confusion matrices
    key TEXT PRIMARY KEY,       -- of the score
    dtype TEXT NOT NULL,        -- NumPy's, little-endian, such as <f4
    shape TEXT NOT NULL,        -- JSON
    content BLOB NOT NULL,      -- row by row, zlib
    checksum INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE outputs (          -- one image restored by one method
    id INTEGER PRIMARY KEY,
    protocol TEXT NOT NULL,
    scale INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    image TEXT NOT NULL,
    method TEXT NOT NULL,
    seed INTEGER NOT NULL,      -- 0 for deterministic methods
    lq_rule TEXT NOT NULL,      -- how LQ was made; 'files': it was given
    lq TEXT,
    reference TEXT,
    restoration TEXT,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed', 'unavailable')),
    message TEXT NOT NULL DEFAULT '',
    wanted TEXT,                -- key that the method's present weights and code have; another one: out of date
    detail TEXT NOT NULL DEFAULT '',  -- traceback of a user's code
    UNIQUE (protocol, scale, dataset, image, method, seed)
);

CREATE TABLE cells (            -- one metric on one output
    output INTEGER NOT NULL REFERENCES outputs (id) ON DELETE CASCADE,
    metric TEXT NOT NULL,
    score TEXT,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed', 'unavailable')),
    message TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (output, metric)
) WITHOUT ROWID;
