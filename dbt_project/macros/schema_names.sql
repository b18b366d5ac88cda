{#- Schemas are the layers themselves, without a prefix: the platform and a developer write to files
    of their own (profiles.yml), so names need not keep them apart. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name is not none else target.schema }}
{%- endmacro %}
