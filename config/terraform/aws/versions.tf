terraform {
  # 1.9: a variable's validation may look at other variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }

  # Stage 01 gives the path, beside the cluster's own state (init -backend-config=path=…);
  # without one it is terraform.tfstate in this folder.
  backend "local" {}
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      "deno-cni" = var.name
    }
  }
}
