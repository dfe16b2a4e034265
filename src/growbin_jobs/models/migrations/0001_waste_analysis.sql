-- $text, $json, $double and $time are the column types of the database at hand (upgrade.py).
CREATE TABLE waste_analysis (
    id $text NOT NULL PRIMARY KEY,
    user_id $text,
    status $text NOT NULL,
    s3_path $text,
    thumbnail_path $text,
    category $text,
    item $text,
    state $text,
    confidence $double,
    vision_model $text,
    rules $json,
    response $text,
    response_source $text,
    response_model $text,
    language $text,
    failed_stage $text,
    error_code $text,
    error_params $json,
    error $text,
    created_at $time NOT NULL,
    updated_at $time NOT NULL,
    completed_at $time
);
CREATE INDEX waste_analysis_user_id_created_at ON waste_analysis (user_id, created_at);
CREATE INDEX waste_analysis_status_created_at ON waste_analysis (status, created_at);
CREATE INDEX waste_analysis_created_at ON waste_analysis (created_at);
