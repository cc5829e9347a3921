"""YAML to Study to cells. Pure: reads study files alone; importing this package loads no reader."""
