"""What ``etude doctor`` looks at: one file a section, each giving facts for a machine and findings for a person."""
