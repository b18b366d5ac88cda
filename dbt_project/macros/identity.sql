{#- What makes an account of a Metro 2 file one account: its furnisher and its number. -#}
{% macro metro2_record_id() -%}
    concat(identification_number, ':', account_number_token)
{%- endmacro %}

{#- The same of TUDF, where a joint account stands once for each of its persons. -#}
{% macro tudf_record_id() -%}
    concat(member_code, ':', account_number_token, ':', full_name_token, ':', ownership_indicator)
{%- endmacro %}
