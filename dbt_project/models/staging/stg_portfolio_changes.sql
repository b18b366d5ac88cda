select
    cast(_lender_id as string) as lender_id,
    cast(op as string) as op,
    cast(committed_at_utc as timestamp) as committed_at_utc,
    cast(change_number as int) as change_number,
    {{ portfolio_columns() }},
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'portfolio_changes') }}
where _lender_id = {{ lender_id() }}
