select
    cast(lender_id as string) as lender_id,
    cast(purge_id as string) as purge_id,
    cast(purge_run_id as string) as purge_run_id,
    cast(table_name as string) as table_name,
    cast(consent_id as string) as consent_id,
    cast(link_ref_number as string) as link_ref_number,
    cast(rows_deleted as bigint) as rows_deleted,
    cast(digest as string) as digest,
    cast(reason as string) as reason,
    cast(data_life as string) as data_life,
    cast(purged_at_utc as timestamp) as purged_at_utc
from {{ source('raw', 'aa_purges') }}
where lender_id = {{ lender_id() }}
