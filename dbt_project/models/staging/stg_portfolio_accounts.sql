select
    cast(_lender_id as string) as lender_id,
    cast(snapshot_date as date) as snapshot_date,
    {{ portfolio_columns() }},
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'portfolio_accounts') }}
where _lender_id = {{ lender_id() }}
